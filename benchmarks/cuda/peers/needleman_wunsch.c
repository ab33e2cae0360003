#include "share.h"

#include <sched.h>
#include <stdatomic.h>

#define TILE 32

static inline int larger(int a, int b) { return a > b ? a : b; }

/* A part takes a range of columns and follows the part to its left, TILE rows behind; `done` counts rows of each. */
void needleman_wunsch(int part, int parts, int n, int penalty, const int *restrict similarity, int *restrict score,
                      atomic_int *done) {
    for (int top = 0; top < n; top += TILE) {
        while (part && atomic_load_explicit(&done[part - 1], memory_order_acquire) < top + TILE)
            sched_yield();
        for (int i = top; i < top + TILE; ++i) {
            const int *above = score + i * (n + 1);
            int *row = score + (i + 1) * (n + 1);
            for (int j = BEGIN(n); j < END(n); ++j)
                row[j + 1] = larger(above[j] + similarity[i * n + j], larger(above[j + 1], row[j]) - penalty);
        }
        atomic_store_explicit(&done[part], top + TILE, memory_order_release);
    }
}
