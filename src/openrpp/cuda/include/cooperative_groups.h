/* Cooperative groups: thread blocks, tiles of up to 32 threads, coalesced threads, grids of cooperative launches. */
#pragma once
#include "cuda_runtime.h"

namespace cooperative_groups {

#define RPP_IN __attribute__((device, always_inline))

namespace rpp_details {
RPP_IN inline unsigned int linear_thread() {
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}
RPP_IN inline unsigned int linear_block() { return blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z); }
RPP_IN inline unsigned int block_size() { return blockDim.x * blockDim.y * blockDim.z; }
RPP_IN inline unsigned int lanes_below(unsigned int lane) { return (1u << lane) - 1; }
template <class T> struct words {
    static constexpr int count = (sizeof(T) + 3) / 4;
};
/* A value of any trivially copyable type travels as 32-bit words. */
template <class T, class F> RPP_IN T by_words(const T &v, F exchange) {
    unsigned int parts[words<T>::count] = {};
    __builtin_memcpy(parts, &v, sizeof(T));
#pragma unroll
    for (int i = 0; i < words<T>::count; ++i) parts[i] = exchange(parts[i]);
    T out;
    __builtin_memcpy(&out, parts, sizeof(T));
    return out;
}
}  // namespace rpp_details

class thread_block {
  public:
    RPP_IN static void sync() { __syncthreads(); }
    RPP_IN static void barrier_arrive() { __syncthreads(); }
    RPP_IN static unsigned int size() { return rpp_details::block_size(); }
    RPP_IN static unsigned int num_threads() { return size(); }
    RPP_IN static unsigned int thread_rank() { return rpp_details::linear_thread(); }
    RPP_IN static dim3 group_index() { return dim3(blockIdx.x, blockIdx.y, blockIdx.z); }
    RPP_IN static dim3 thread_index() { return dim3(threadIdx.x, threadIdx.y, threadIdx.z); }
    RPP_IN static dim3 group_dim() { return dim3(blockDim.x, blockDim.y, blockDim.z); }
    RPP_IN static dim3 dim_threads() { return group_dim(); }
    RPP_IN static bool is_valid() { return true; }
};

RPP_IN inline thread_block this_thread_block() { return thread_block(); }

/* All threads of a cooperative launch. */
class grid_group {
  public:
    RPP_IN static void sync() { __rpp_grid_barrier(); }
    RPP_IN static bool is_valid() { return true; }
    RPP_IN static unsigned long long num_blocks() { return (unsigned long long)gridDim.x * gridDim.y * gridDim.z; }
    RPP_IN static unsigned long long num_threads() { return num_blocks() * rpp_details::block_size(); }
    RPP_IN static unsigned long long size() { return num_threads(); }
    RPP_IN static unsigned long long block_rank() { return rpp_details::linear_block(); }
    RPP_IN static unsigned long long thread_rank() {
        return block_rank() * rpp_details::block_size() + rpp_details::linear_thread();
    }
    RPP_IN static dim3 group_dim() { return dim3(gridDim.x, gridDim.y, gridDim.z); }
    RPP_IN static dim3 dim_blocks() { return group_dim(); }
    RPP_IN static dim3 block_index() { return dim3(blockIdx.x, blockIdx.y, blockIdx.z); }
};

RPP_IN inline grid_group this_grid() { return grid_group(); }

/* Threads of one warp that execute together, as a mask of lanes. Ranks count the members. */
class coalesced_group {
  public:
    RPP_IN explicit coalesced_group(unsigned int mask) : mask_(mask) {}
    RPP_IN void sync() const { __syncwarp(mask_); }
    RPP_IN unsigned int size() const { return (unsigned int)__popc(mask_); }
    RPP_IN unsigned int num_threads() const { return size(); }
    RPP_IN unsigned int thread_rank() const { return (unsigned int)__popc(mask_ & rpp_details::lanes_below(__rpp_laneid())); }
    RPP_IN unsigned int meta_group_rank() const { return 0; }
    RPP_IN unsigned int meta_group_size() const { return 1; }
    RPP_IN unsigned int rpp_mask() const { return mask_; }
    RPP_IN int rpp_lane(int rank) const { return __fns(mask_, 0, rank + 1); }
    template <class T> RPP_IN T shfl(T v, unsigned int rank) const {
        int lane = rpp_lane((int)rank);
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_sync(mask_, w, lane); });
    }
    template <class T> RPP_IN T shfl_up(T v, int delta) const {
        int rank = (int)thread_rank() - delta;
        int lane = rank < 0 ? (int)__rpp_laneid() : rpp_lane(rank);
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_sync(mask_, w, lane); });
    }
    template <class T> RPP_IN T shfl_down(T v, unsigned int delta) const {
        unsigned int rank = thread_rank() + delta;
        int lane = rank >= size() ? (int)__rpp_laneid() : rpp_lane((int)rank);
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_sync(mask_, w, lane); });
    }
    RPP_IN int any(int predicate) const { return __any_sync(mask_, predicate); }
    RPP_IN int all(int predicate) const { return __all_sync(mask_, predicate); }
    RPP_IN unsigned int ballot(int predicate) const { return packed(__ballot_sync(mask_, predicate)); }
    template <class T> RPP_IN unsigned int match_any(T v) const { return packed(__match_any_sync(mask_, v)); }
    template <class T> RPP_IN unsigned int match_all(T v, int &all) const {
        return packed(__match_all_sync(mask_, v, &all));
    }

  private:
    /* Bits of members in the order of their ranks. */
    RPP_IN unsigned int packed(unsigned int lanes) const {
        unsigned int found = 0, place = 0;
        for (unsigned int rest = mask_; rest != 0; rest &= rest - 1, ++place) {
            found |= (lanes & rest & (0u - rest)) != 0 ? 1u << place : 0u;
        }
        return found;
    }
    unsigned int mask_;
};

RPP_IN inline coalesced_group coalesced_threads() { return coalesced_group(__activemask()); }

template <unsigned int Size, class Parent = void> class thread_block_tile;

/* Which tile of its parent a tile is: computed from the parent, or carried along where the type does not name it. */
template <unsigned int Size, class Parent> struct rpp_place {
    RPP_IN static unsigned int meta_group_rank() { return rpp_rank((Parent *)nullptr) / Size; }
    RPP_IN static unsigned int meta_group_size() { return (rpp_size((Parent *)nullptr) + Size - 1) / Size; }

  private:
    RPP_IN static unsigned int rpp_rank(thread_block *) { return rpp_details::linear_thread(); }
    RPP_IN static unsigned int rpp_size(thread_block *) { return rpp_details::block_size(); }
    template <unsigned int S, class P> RPP_IN static unsigned int rpp_rank(thread_block_tile<S, P> *) {
        return rpp_details::linear_thread() % S;
    }
    template <unsigned int S, class P> RPP_IN static unsigned int rpp_size(thread_block_tile<S, P> *) { return S; }
};
template <unsigned int Size> struct rpp_place<Size, void> {
    template <class P> RPP_IN rpp_place(const rpp_place<Size, P> &p) : rank(p.meta_group_rank()), count(p.meta_group_size()) {}
    RPP_IN unsigned int meta_group_rank() const { return rank; }
    RPP_IN unsigned int meta_group_size() const { return count; }

  private:
    unsigned int rank, count;
};

/* `size` neighbouring threads of a block: a power of two of at most 32. */
template <unsigned int Size, class Parent> class thread_block_tile : public rpp_place<Size, Parent> {
    static_assert(Size >= 1 && Size <= 32 && (Size & (Size - 1)) == 0,
                  "tiles have 1, 2, 4, 8, 16 or 32 threads on RPP");

  public:
    thread_block_tile() = default;
    template <class P> RPP_IN thread_block_tile(const thread_block_tile<Size, P> &tile) : rpp_place<Size, Parent>(tile) {}
    RPP_IN void sync() const { __syncwarp(rpp_mask()); }
    RPP_IN static constexpr unsigned int size() { return Size; }
    RPP_IN static constexpr unsigned int num_threads() { return Size; }
    RPP_IN static unsigned int thread_rank() { return rpp_details::linear_thread() % Size; }
    RPP_IN static unsigned int rpp_mask() {
        return Size == 32 ? 0xffffffffu : rpp_details::lanes_below(Size) << (__rpp_laneid() & ~(Size - 1));
    }
    template <class T> RPP_IN T shfl(T v, int rank) const {
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_sync(rpp_mask(), w, rank, (int)Size); });
    }
    template <class T> RPP_IN T shfl_up(T v, unsigned int delta) const {
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_up_sync(rpp_mask(), w, delta, (int)Size); });
    }
    template <class T> RPP_IN T shfl_down(T v, unsigned int delta) const {
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_down_sync(rpp_mask(), w, delta, (int)Size); });
    }
    template <class T> RPP_IN T shfl_xor(T v, unsigned int lanes) const {
        return rpp_details::by_words(v, [&](unsigned int w) { return __shfl_xor_sync(rpp_mask(), w, (int)lanes, (int)Size); });
    }
    RPP_IN int any(int predicate) const { return __any_sync(rpp_mask(), predicate); }
    RPP_IN int all(int predicate) const { return __all_sync(rpp_mask(), predicate); }
    RPP_IN unsigned int ballot(int predicate) const { return packed(__ballot_sync(rpp_mask(), predicate)); }
    template <class T> RPP_IN unsigned int match_any(T v) const { return packed(__match_any_sync(rpp_mask(), v)); }
    template <class T> RPP_IN unsigned int match_all(T v, int &all) const {
        return packed(__match_all_sync(rpp_mask(), v, &all));
    }

  private:
    RPP_IN static unsigned int packed(unsigned int lanes) {
        return (lanes & rpp_mask()) >> (__rpp_laneid() & ~(Size - 1) & 31);
    }
};

template <unsigned int Size, class Parent> RPP_IN inline thread_block_tile<Size, Parent> tiled_partition(const Parent &) {
    return thread_block_tile<Size, Parent>();
}

/* A tile whose size is known at run time only. */
RPP_IN inline coalesced_group tiled_partition(const thread_block &, unsigned int size) {
    unsigned int first = rpp_details::linear_thread() % 32 / size * size;
    return coalesced_group(size >= 32 ? __activemask() : rpp_details::lanes_below(size) << first);
}

/* Members with an equal label, or an equal predicate. */
template <class Group> RPP_IN inline coalesced_group labeled_partition(const Group &g, int label) {
    return coalesced_group(__match_any_sync(g.rpp_mask(), label));
}
template <class Group> RPP_IN inline coalesced_group binary_partition(const Group &g, bool predicate) {
    unsigned int with = __ballot_sync(g.rpp_mask(), predicate);
    return coalesced_group(predicate ? with : g.rpp_mask() & ~with);
}

template <class Group> RPP_IN inline void sync(const Group &g) { g.sync(); }
template <class Group> RPP_IN inline unsigned int thread_rank(const Group &g) { return (unsigned int)g.thread_rank(); }
template <class Group> RPP_IN inline unsigned int group_size(const Group &g) { return (unsigned int)g.size(); }

template <class Group, class F> RPP_IN inline void invoke_one(const Group &g, F f) {
    if (g.thread_rank() == 0) f();
}

template <class T> struct plus { RPP_IN T operator()(T a, T b) const { return a + b; } };
template <class T> struct less { RPP_IN T operator()(T a, T b) const { return b < a ? b : a; } };
template <class T> struct greater { RPP_IN T operator()(T a, T b) const { return a < b ? b : a; } };
template <class T> struct bit_and { RPP_IN T operator()(T a, T b) const { return a & b; } };
template <class T> struct bit_or { RPP_IN T operator()(T a, T b) const { return a | b; } };
template <class T> struct bit_xor { RPP_IN T operator()(T a, T b) const { return a ^ b; } };

/* Every member of a tile gets the values of all, combined as a butterfly. */
template <unsigned int Size, class Parent, class T, class F>
RPP_IN inline T reduce(const thread_block_tile<Size, Parent> &g, T v, F f) {
#pragma unroll
    for (unsigned int lanes = Size / 2; lanes > 0; lanes /= 2) v = f(v, g.shfl_xor(v, lanes));
    return v;
}

/* Members of other groups are combined in the order of their ranks. */
template <class T, class F> RPP_IN inline T reduce(const coalesced_group &g, T v, F f) {
    T sum = g.shfl(v, 0);
    for (unsigned int rank = 1; rank < g.size(); ++rank) sum = f(sum, g.shfl(v, rank));
    return sum;
}

template <class Group, class T, class F> RPP_IN inline T inclusive_scan(const Group &g, T v, F f) {
    for (unsigned int delta = 1; delta < g.size(); delta *= 2) {
        T other = g.shfl_up(v, delta);
        v = g.thread_rank() >= delta ? f(other, v) : v;
    }
    return v;
}
template <class Group, class T> RPP_IN inline T inclusive_scan(const Group &g, T v) { return inclusive_scan(g, v, plus<T>()); }
template <class Group, class T, class F> RPP_IN inline T exclusive_scan(const Group &g, T v, F f) {
    T other = g.shfl_up(inclusive_scan(g, v, f), 1);
    return g.thread_rank() == 0 ? T() : other;
}
template <class Group, class T> RPP_IN inline T exclusive_scan(const Group &g, T v) { return exclusive_scan(g, v, plus<T>()); }

/* A copy by all members, finished at `wait`. */
template <class Group, class T> RPP_IN inline void memcpy_async(const Group &g, T *to, const T *from, size_t bytes) {
    const unsigned int step = (unsigned int)g.size();
    for (size_t i = g.thread_rank(); i < bytes / sizeof(T); i += step) to[i] = from[i];
}
template <class Group> RPP_IN inline void wait(const Group &g) { g.sync(); }
template <unsigned int N, class Group> RPP_IN inline void wait_prior(const Group &g) { g.sync(); }

#undef RPP_IN

}  // namespace cooperative_groups
