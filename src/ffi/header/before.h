/* conex: a lock-free stack, queue and hash map.
 *
 * This header is the manual of the C interface. It is generated from the sources of the library and not edited.
 *
 * Introduction
 *
 * A conex container is made by its `_new` function, used by any number of threads, and destroyed by one of them when
 * the others are done:
 *
 *     conex_stack *stack = NULL;
 *     uint64_t in = 42, out = 0;
 *     if (conex_stack_new(NULL, &stack) != CONEX_OK) return 1;    // no options: 8-byte words
 *     conex_stack_push(stack, &in);                               // CONEX_OK
 *     conex_stack_pop(stack, &out);                               // CONEX_OK; again: CONEX_EMPTY
 *     conex_stack_destroy(stack);
 *
 * Options are structs that an `_INIT` macro fills; elements of any size lie inline; every callback is a function and a
 * `ctx` that is passed to it.
 *
 * Threads
 *
 * Every function may be called from any thread at any time, except that `_destroy` needs the container for itself. No
 * thread needs to register, and none needs to say good-bye. Functions whose text says *lock-free* keep their word in the
 * strict sense: whatever other threads are doing, or were doing when they were suspended for ever, some call completes
 * in a bounded number of steps; *wait-free*: this call does. Only functions that say *may block* wait for other threads.
 * All this is as true as it is of the allocator and the callbacks that a call uses.
 * Where threads get into each other's way, a call may pause for some microseconds after its work is done, so that they go in
 * turns, as long as that is measured to be faster; and so may a pop that has caught up with the pushers and finds nothing, for
 * up to 8 microseconds. It waits for nobody in that time, which is over whatever others do.
 * What a thread did before it put an element in happens before what another does after it got that element.
 *
 * No function is async-signal-safe. The child of `fork`, which has but the thread that forked, may go on using all
 * containers and domains, whatever the other threads were doing, and frees in them as ever. Guards and sessions of the thread
 * that forked last until it ends them; those of others are gone, except that a domain of which another thread held a
 * `conex_guard` stays busy. What other threads had in their hands is lost with them: some elements, some memory. A child
 * that was not made by `fork` (`vfork`, `_Fork`, a bare `clone`) must do nothing but `exec`.
 *
 * Callbacks
 *
 * Memory that was unlinked is freed later, inside other calls: every call that uses a domain, for whatever container, may
 * run what is due there, which is retire functions, the `drop` of elements that wait, and the `free` of allocators: for up
 * to 96 of them, more only if it removes many itself; a flush, a barrier and the end of a container for all that they find. So
 * these must not take a lock that a thread holds while it calls the library. A callback may call every function of the
 * library, except where its own text says less. It leaves the guards of its thread as it found them.
 *
 * What waits in the default domain when the process ends is not freed, and its functions are not called; for those who
 * need that, `conex_domain_barrier` is there.
 *
 * Memory
 *
 * Containers answer `CONEX_ERR_NO_MEMORY` when their allocator has none. The bookkeeping of the reclamation comes from
 * the allocator of the process: some KiB when a thread first uses a domain, and about 2 KiB for each batch of 64 blocks
 * or so that are removed, until they are freed. A call whose text says *does not allocate* needs no memory but that. If
 * the process has none left for it, the process ends.
 *
 * Pointers
 *
 * NULL where it is not allowed, a handle of another kind and a recently destroyed handle are answered by a status. A
 * pointer to memory that is not yours cannot be detected.
 */
#ifndef CONEX_CONEX_H
#define CONEX_CONEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header; see conex_version for that of the library. */
#define CONEX_VERSION_MAJOR @MAJOR@
#define CONEX_VERSION_MINOR @MINOR@
#define CONEX_VERSION_PATCH @PATCH@
#define CONEX_VERSION_NUMBER (CONEX_VERSION_MAJOR * 1000000 + CONEX_VERSION_MINOR * 1000 + CONEX_VERSION_PATCH)
#define CONEX_VERSION_STRING "@VERSION@"

/* Where the functions come from. The CMake package defines CONEX_SHARED for users of the shared library. */
#if defined(_WIN32) && defined(CONEX_SHARED)
#define CONEX_API __declspec(dllimport)
#else
#define CONEX_API
#endif

#ifdef __cplusplus
extern "C" {
#endif
