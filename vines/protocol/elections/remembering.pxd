# Compiled as it is: nothing in it has another type than Python gives it.
