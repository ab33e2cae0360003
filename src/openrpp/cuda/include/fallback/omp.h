/* OpenMP's functions for one thread: sources are compiled without OpenMP. Used where the compiler brings no omp.h. */
#pragma once

typedef int omp_lock_t;
static inline int omp_get_num_threads(void) { return 1; }
static inline int omp_get_max_threads(void) { return 1; }
static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_procs(void) { return 1; }
static inline int omp_in_parallel(void) { return 0; }
static inline void omp_set_num_threads(int) {}
static inline double omp_get_wtime(void) { return (double)__builtin_readcyclecounter() * 1e-9; }
