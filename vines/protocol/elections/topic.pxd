cimport cython

from vines.protocol.elections.decree cimport Effects
from vines.protocol.elections.election cimport Election
from vines.protocol.elections.messages cimport (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Formed,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Sign,
    Signed,
    Unknown,
    Vote,
)
from vines.protocol.elections.signup cimport SignUp, Surroundings


@cython.locals(claims=bint)
cpdef object receive(
    SignUp signup, bytes sender, bytes election, Said message, Surroundings out
)
cpdef object deliver(
    Election part, bytes sender, bytes election, Said message, Effects effects
)
