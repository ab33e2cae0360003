/* The share of one thread: [begin, end) of n things for part `part` of `parts`. */
#define BEGIN(n) ((int)((long)(n) * part / parts))
#define END(n) ((int)((long)(n) * (part + 1) / parts))
