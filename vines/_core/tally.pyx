"""Votes of an election: who voted what, the weight behind each choice, and what that decides.

A `Roll` is the pinned electorate, the weight of each voter by rank. A `Tally` holds one vote for
each of them, the one of the highest sequence number, and a sum for every code a vote may have. It
knows neither who the voters are nor how long they have; whoever asks at the deadline says so.
"""

cimport cython
from cpython.bool cimport PyBool_Check
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_Check
from cpython.sequence cimport PySequence_Check
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from vines.errors import WireError

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow)

cdef extern from "hash.h" nogil:
    void vines_write64(uint8_t* at, uint64_t word)

cdef enum:
    UNDECIDED = -1              # an outcome from 0 is the choice that won
    NO_WINNER = -2
    CHOICES = 253               # codes below are choices
    AGAINST = 253
    ABSTAINED = 254
    NOT_VOTED = 255
    OTHERS = 3                  # codes that are no choice
    CODES = 256
    VOTERS = 1000000
    WORDS = 4                   # of eight bytes, ahead of the votes in the bytes of a state
    LANES = 4                   # tables that are added to in turn: no addition waits for another

cdef extern from *:
    """
    #define VINES_WEIGHT_LIMIT 0xffffffffLL
    #define VINES_TOTAL_LIMIT 0xffffffffffffULL
    """
    const int64_t WEIGHT_LIMIT "VINES_WEIGHT_LIMIT"
    const uint64_t TOTAL_LIMIT "VINES_TOTAL_LIMIT"

PENDING = UNDECIDED
LOST = NO_WINNER
CHOICES_MAX = CHOICES
VOTERS_MAX = VOTERS
WEIGHT_MAX = WEIGHT_LIMIT
TOTAL_MAX = TOTAL_LIMIT
REFUSE = AGAINST
ABSTAIN = ABSTAINED
NONE = NOT_VOTED

cdef struct Lead:
    uint64_t weight
    int choice                  # the heaviest, of several the first
    bint tied                   # whether another choice weighs as much, and not nothing


cdef int64_t natural(object number) except -2:
    """An integer from 0 to 2**63 - 1; -1 for any other."""
    cdef int overflow = 0
    cdef long long found
    if not PyLong_Check(number) or PyBool_Check(number):
        raise TypeError(f"an integer is needed, not {type(number).__name__}")
    found = PyLong_AsLongLongAndOverflow(number, &overflow)
    return -1 if overflow or found < 0 else found


cdef int check_rules(Roll roll, int64_t choices, int64_t least) except -1:
    if not 0 < choices <= CHOICES:
        raise ValueError(f"an election has 1 to {CHOICES} choices")
    if least < 1 or <uint64_t>least > roll.sum:
        raise ValueError("the least weight of a winner is 1 to the total of the roll")
    return 0


cdef inline size_t slot_of(int code, int choices) noexcept:
    """The place of a code of this election in its sums: the choices, and the others behind."""
    return <size_t>(code if code < choices else choices + code - AGAINST)


cdef Lead find_lead(const uint64_t* sums, int choices) noexcept:
    cdef Lead lead
    cdef int choice
    lead.weight = sums[0]
    lead.choice = 0
    lead.tied = False
    for choice in range(1, choices):
        if sums[choice] > lead.weight:
            lead.weight = sums[choice]
            lead.choice = choice
            lead.tied = False
        elif sums[choice] == lead.weight:
            lead.tied = lead.weight > 0
    return lead


cdef int decide(
    const Lead* lead, uint64_t uncast, uint64_t least, bint plurality, bint closing
) noexcept:
    """What votes decide: now, or at the deadline."""
    if lead.weight + uncast < least:
        return NO_WINNER
    if plurality:
        if uncast and not closing:
            return UNDECIDED
        if lead.tied:
            return NO_WINNER
    return lead.choice if lead.weight >= least else UNDECIDED


@cython.final
cdef class Roll:
    cdef uint32_t* by_rank
    cdef size_t count
    cdef uint64_t sum

    def __cinit__(self, weights):
        cdef tuple given
        cdef size_t rank
        cdef int64_t weight
        if not PySequence_Check(weights):
            raise TypeError(f"weights are a sequence, not {type(weights).__name__}")
        given = tuple(weights) if len(weights) <= VOTERS else ()
        if not 0 < len(given) <= VOTERS:
            raise ValueError(f"a roll has 1 to {VOTERS} voters")
        self.count = <size_t>len(given)
        self.by_rank = <uint32_t*>malloc(self.count * sizeof(uint32_t))
        if self.by_rank == NULL:
            raise MemoryError
        for rank in range(self.count):
            weight = natural(given[rank])
            if not 0 <= weight <= WEIGHT_LIMIT:
                raise ValueError(f"a weight is 0 to {WEIGHT_LIMIT}")
            self.by_rank[rank] = <uint32_t>weight
            self.sum += <uint64_t>weight
        if not 0 < self.sum <= TOTAL_LIMIT:
            raise ValueError("the total of a roll is at least 1 and below 2**48")

    def __dealloc__(self):
        free(self.by_rank)

    cdef Py_ssize_t find(self, object rank) except -1:
        """A rank that was handed in, which is one of this roll."""
        cdef int64_t found = natural(rank)
        if not 0 <= found < <int64_t>self.count:
            raise IndexError(f"no such voter among {self.count}")
        return <Py_ssize_t>found

    def __len__(self):
        return self.count

    @property
    def total(self):
        return self.sum

    def weight(self, rank):
        return self.by_rank[self.find(rank)]

    def weights(self):
        cdef size_t rank
        return tuple([self.by_rank[rank] for rank in range(self.count)])


@cython.final
@cython.no_gc                   # a roll refers to nothing, so there is no way round
cdef class Tally:
    cdef Roll roll
    cdef uint64_t* sequences    # of the vote held for a rank, 0: none; NULL before the first vote
    cdef uint64_t* sums         # in the same block: the weight behind each code, by slot_of
    cdef uint8_t* codes         # in the same block: the vote of a rank
    cdef size_t size            # bytes of the block
    cdef size_t count           # ranks that voted
    cdef uint64_t least
    cdef Lead lead
    cdef int choices
    cdef bint plurality

    def __cinit__(self, Roll roll not None, choices, least, *, bint plurality=False):
        cdef int64_t options = natural(choices)
        cdef int64_t threshold = natural(least)
        cdef size_t slots
        check_rules(roll, options, threshold)
        self.roll = roll
        self.choices = <int>options
        self.least = <uint64_t>threshold
        self.plurality = plurality
        slots = <size_t>options + OTHERS
        self.size = roll.count * (sizeof(uint64_t) + 1) + slots * sizeof(uint64_t)

    def __dealloc__(self):
        free(self.sequences)

    cdef int begin(self) except -1:
        """Make room for votes: most elections wait a while for the first."""
        self.sequences = <uint64_t*>calloc(1, self.size)
        if self.sequences == NULL:
            raise MemoryError
        self.sums = self.sequences + self.roll.count
        self.codes = <uint8_t*>(self.sums + self.choices + OTHERS)
        memset(self.codes, NOT_VOTED, self.roll.count)
        self.sums[slot_of(NOT_VOTED, self.choices)] = self.roll.sum
        return 0

    cdef int code(self, object choice) except -1:
        """A code that was handed in, which is one of this election."""
        cdef int64_t found = natural(choice)
        if not (0 <= found < self.choices or AGAINST <= found <= NOT_VOTED):
            raise ValueError(f"no such choice among {self.choices}")
        return <int>found

    cdef int move(self, uint64_t weight, int old, int new) noexcept:
        """Take a weight from behind one code and put it behind another."""
        cdef bint led
        cdef uint64_t* gained = &self.sums[slot_of(new, self.choices)]
        cdef uint64_t* lost = &self.sums[slot_of(old, self.choices)]
        if weight == 0 or old == new:
            return 0
        led = old < self.choices and lost[0] == self.lead.weight
        lost[0] -= weight
        gained[0] += weight
        if led:
            self.lead = find_lead(self.sums, self.choices)
        elif new < self.choices:
            if new == self.lead.choice or gained[0] > self.lead.weight:
                self.lead.weight = gained[0]
                self.lead.choice = new
                self.lead.tied = False
            elif gained[0] == self.lead.weight:
                self.lead.choice = min(self.lead.choice, new)
                self.lead.tied = True
        return 0

    def vote(self, rank, sequence, choice):
        cdef Py_ssize_t at = self.roll.find(rank)
        cdef int64_t number = natural(sequence)
        cdef int code = self.code(choice)
        if number < 1:
            raise ValueError("a sequence number is 1 to 2**63 - 1")
        if code == NOT_VOTED:
            raise ValueError("a vote cannot be taken back, only changed")
        if self.sequences == NULL:
            self.begin()
        if <uint64_t>number <= self.sequences[at]:
            return False
        self.count += self.sequences[at] == 0
        self.sequences[at] = <uint64_t>number
        self.move(self.roll.by_rank[at], self.codes[at], code)
        self.codes[at] = <uint8_t>code
        return True

    cdef uint64_t weight(self, int code) noexcept:
        """Behind a code of this election."""
        if self.sequences == NULL:
            return self.roll.sum if code == NOT_VOTED else 0
        return self.sums[slot_of(code, self.choices)]

    cdef int decided(self, bint closing) noexcept:
        return decide(
            &self.lead, self.weight(NOT_VOTED), self.least, self.plurality, closing)

    @property
    def outcome(self):
        return self.decided(False)

    def closing(self):
        return self.decided(True)

    def weight_of(self, choice):
        return self.weight(self.code(choice))

    @property
    def uncast(self):
        return self.weight(NOT_VOTED)

    @property
    def voted(self):
        return self.count

    def choice_of(self, rank):
        cdef Py_ssize_t at = self.roll.find(rank)
        return NOT_VOTED if self.sequences == NULL else self.codes[at]

    def sequence_of(self, rank):
        cdef Py_ssize_t at = self.roll.find(rank)
        return 0 if self.sequences == NULL else self.sequences[at]

    def held(self):
        cdef size_t rank
        if self.sequences == NULL:
            return ()
        return tuple([
            (rank, self.sequences[rank], self.codes[rank])
            for rank in range(self.roll.count) if self.sequences[rank]
        ])

    def packed(self):
        if self.sequences == NULL:
            return bytes([NOT_VOTED]) * self.roll.count
        return PyBytes_FromStringAndSize(<const char*>self.codes, <Py_ssize_t>self.roll.count)

    def copy(self):
        cdef Tally twin = Tally.__new__(
            Tally, self.roll, self.choices, self.least, plurality=self.plurality)
        if self.sequences != NULL:
            twin.begin()
            memcpy(twin.sequences, self.sequences, self.size)
        twin.count = self.count
        twin.lead = self.lead
        return twin

    def state_bytes(self):
        cdef size_t rank, count = self.roll.count
        cdef bytes state = PyBytes_FromStringAndSize(
            NULL, <Py_ssize_t>(8 * WORDS + count * (8 + 8 + 1)))
        cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(state)
        vines_write64(at, self.plurality)
        vines_write64(at + 8, <uint64_t>self.choices)
        vines_write64(at + 16, self.least)
        vines_write64(at + 24, count)
        at += 8 * WORDS
        for rank in range(count):
            vines_write64(at, self.roll.by_rank[rank])
            vines_write64(at + 8, self.sequences[rank] if self.sequences != NULL else 0)
            at[16] = self.codes[rank] if self.sequences != NULL else NOT_VOTED
            at += 17
        return state

    @property
    def memory(self):
        return object.__sizeof__(self) + (self.size if self.sequences != NULL else 0)


cdef bint are_codes(const uint8_t* packed, size_t size, int choices) noexcept nogil:
    """Whether each of `size` bytes is a code of an election: its choices, and the others."""
    cdef uint8_t unknown = <uint8_t>(AGAINST - choices)
    cdef uint8_t found = 0
    cdef size_t at
    for at in range(size):
        found |= <uint8_t>(packed[at] - choices) < unknown
    return found == 0


cdef void add_up(
    const uint8_t* packed, const uint32_t* weights, size_t size, uint64_t* sums
) noexcept nogil:
    """Add the weights behind each of the 256 codes."""
    cdef uint64_t[LANES][CODES] lanes
    cdef size_t at = 0
    cdef int code
    memset(lanes, 0, sizeof(lanes))
    while at + LANES <= size:
        lanes[0][packed[at]] += weights[at]
        lanes[1][packed[at + 1]] += weights[at + 1]
        lanes[2][packed[at + 2]] += weights[at + 2]
        lanes[3][packed[at + 3]] += weights[at + 3]
        at += LANES
    while at < size:
        lanes[0][packed[at]] += weights[at]
        at += 1
    for code in range(CODES):
        sums[code] = lanes[0][code] + lanes[1][code] + lanes[2][code] + lanes[3][code]


def count(
    Roll roll not None, bytes packed not None, choices, least, *,
    bint plurality=False, bint closing=False
):
    cdef int64_t options = natural(choices)
    cdef int64_t threshold = natural(least)
    cdef const uint8_t* votes = <const uint8_t*>PyBytes_AS_STRING(packed)
    cdef uint64_t[CODES] sums
    cdef Lead lead
    check_rules(roll, options, threshold)
    if <size_t>PyBytes_GET_SIZE(packed) != roll.count:
        raise WireError(f"packed votes of {PyBytes_GET_SIZE(packed)} voters, not {roll.count}")
    if not are_codes(votes, roll.count, <int>options):
        raise WireError(f"a packed vote that is none of an election of {options} choices")
    add_up(votes, roll.by_rank, roll.count, sums)
    lead = find_lead(sums, <int>options)
    return decide(&lead, sums[NOT_VOTED], <uint64_t>threshold, plurality, closing)
