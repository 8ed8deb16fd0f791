cpdef long long ballot(long long number, long long rank)
cpdef long long number_of(long long one)
cpdef long long rank_of(long long one)
cpdef bint is_ballot(long long one, long long rank, long long promised)
