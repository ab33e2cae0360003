/* Output, assertions, traps, clocks, memory blocks. */
#pragma once
#include "rpp/qualifiers.h"

RPP_OP int __rpp_printf(const char *format, ...);
RPP_OP void __rpp_assert_fail(const char *message, const char *file, unsigned int line, const char *function)
    __attribute__((noreturn));
RPP_OP unsigned long long __rpp_clock(void);

/* What C passes in place of a small type through an ellipsis. */
template <class T> struct __rpp_passed { typedef T type; };
template <> struct __rpp_passed<float> { typedef double type; };
template <> struct __rpp_passed<bool> { typedef int type; };
template <> struct __rpp_passed<char> { typedef int type; };
template <> struct __rpp_passed<signed char> { typedef int type; };
template <> struct __rpp_passed<unsigned char> { typedef int type; };
template <> struct __rpp_passed<short> { typedef int type; };
template <> struct __rpp_passed<unsigned short> { typedef int type; };

template <class... T> RPP_DEVICE int printf(const char *format, T... values) {
    return __rpp_printf(format, (typename __rpp_passed<T>::type)values...);
}

/* assert of <assert.h> ends in one of these. */
extern "C" {
RPP_DEVICE void __assert_fail(const char *message, const char *file, unsigned int line, const char *function) {
    __rpp_assert_fail(message, file, line, function);
}
RPP_DEVICE void __assertfail(const char *message, const char *file, unsigned int line, const char *function, size_t) {
    __rpp_assert_fail(message, file, line, function);
}
}
#ifndef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) \
    ((condition) ? (void)0 : __assert_fail(#condition, __FILE__, __LINE__, __PRETTY_FUNCTION__))
#endif
#endif

extern "C" {
RPP_DEVICE long clock(void) { return (long)__rpp_clock(); }
}
RPP_DEVICE long long clock64(void) { return (long long)__rpp_clock(); }
RPP_DEVICE unsigned long long __globaltimer(void) { return __rpp_clock(); }
RPP_DEVICE void __nanosleep(unsigned int) {}
RPP_DEVICE void __trap(void) { __builtin_trap(); }
RPP_DEVICE void __brkpt(void) {}
RPP_DEVICE void __prof_trigger(int) {}

RPP_DEVICE unsigned int __isGlobal(const void *p) { return __nvvm_isspacep_global(p); }
RPP_DEVICE unsigned int __isShared(const void *p) { return __nvvm_isspacep_shared(p); }
RPP_DEVICE unsigned int __isConstant(const void *p) { return __nvvm_isspacep_const(p); }
RPP_DEVICE unsigned int __isLocal(const void *p) { return __nvvm_isspacep_local(p); }

/* There is no heap on the card. Declared because clang's <new> calls them; what is left of such a call is refused with
   its place when the IR is read. */
RPP_OP void *malloc(size_t size);
RPP_OP void *calloc(size_t count, size_t size);
RPP_OP void *realloc(void *p, size_t size);
RPP_OP void free(void *p);

/* memcpy and memset in device code: clang expands them to accesses. */
extern "C" {
RPP_DEVICE void *memcpy(void *to, const void *from, size_t size) { return __builtin_memcpy(to, from, size); }
RPP_DEVICE void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }
RPP_DEVICE void *memset(void *to, int value, size_t size) { return __builtin_memset(to, value, size); }
}
