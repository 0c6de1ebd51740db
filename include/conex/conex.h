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
#define CONEX_VERSION_MAJOR 0
#define CONEX_VERSION_MINOR 1
#define CONEX_VERSION_PATCH 0
#define CONEX_VERSION_NUMBER (CONEX_VERSION_MAJOR * 1000000 + CONEX_VERSION_MINOR * 1000 + CONEX_VERSION_PATCH)
#define CONEX_VERSION_STRING "0.1.0"

/* Where the functions come from. The CMake package defines CONEX_SHARED for users of the shared library. */
#if defined(_WIN32) && defined(CONEX_SHARED)
#define CONEX_API __declspec(dllimport)
#else
#define CONEX_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* =========================================================================================================
 * Version
 *
 * The version is `MAJOR.MINOR.PATCH`. The `CONEX_VERSION_*` macros tell which header a program was compiled with, the
 * functions which library it runs with. Until 1.0 a new minor version may change the interface; the number in the
 * shared library's SONAME changes when the binary interface does.
 * ====================================================================================================== */

/**
 * The version of the library that is loaded, as a number to compare with `CONEX_VERSION_NUMBER`:
 * `major * 1000000 + minor * 1000 + patch`.
 *
 * Progress: wait-free.
 */
CONEX_API uint32_t conex_version(void);

/**
 * The version of the library that is loaded, as a static text, for instance `"0.1.0"`. Never NULL.
 *
 * Progress: wait-free.
 */
CONEX_API const char *conex_version_string(void);

/* =========================================================================================================
 * Statuses
 *
 * Every function that can fail or have more than one outcome returns a `conex_status`: 0 is success, a positive
 * status an ordinary outcome (the queue was empty, the key was there already), a negative one an error. After an error
 * nothing has changed: the container is as it was, and an element that was to be moved in is still the caller's.
 *
 * One rule for out-parameters: a function writes an out-parameter exactly when its text says that the status it
 * returns yields a value there; otherwise the variable is left as it was. Counts (`count`, `removed`) are written with
 * every status that is not negative. A parameter called optional may be NULL.
 * ====================================================================================================== */

/** What a function answers. */
enum conex_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Done. */
    CONEX_OK = 0,
    /** The container was empty at a moment during the call. */
    CONEX_EMPTY = 1,
    /** The container was full. */
    CONEX_FULL = 2,
    /** The queue was closed. */
    CONEX_CLOSED = 3,
    /** Something is still in use. */
    CONEX_BUSY = 4,
    /** The time was up. */
    CONEX_TIMEOUT = 5,
    /** The map has no such key. */
    CONEX_NOT_FOUND = 6,
    /** The map has the key already. */
    CONEX_EXISTS = 7,
    /** The value is not the expected one. */
    CONEX_MISMATCH = 8,
    /** A pointer that must not be NULL is NULL. */
    CONEX_ERR_NULL = -1,
    /** An argument is out of range, or does not fit the container. */
    CONEX_ERR_INVALID = -2,
    /** There was no memory. */
    CONEX_ERR_NO_MEMORY = -3,
    /** A handle is not a live one of the kind that the function takes. */
    CONEX_ERR_HANDLE = -4,
    /** The operation could never end, because the calling thread itself is in its way. */
    CONEX_ERR_STALLED = -5,
    /** An error inside the library: please report it. */
    CONEX_ERR_PANIC = -6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum conex_status conex_status;
#else
typedef int32_t conex_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What `status` means, and for an error what is allowed, as a static text. Never NULL; a number that is no status has
 * a text too.
 *
 * Progress: wait-free.
 */
CONEX_API const char *conex_status_string(int32_t status);

/* =========================================================================================================
 * Elements and memory
 *
 * What a container holds is described once, when it is made, by a `conex_element`: the size of an element, its
 * alignment, and what must be done to end its life or to copy it. Elements lie *inline* in the container: pushing a
 * struct of 100 bytes moves 100 bytes in, popping moves them out, and no further memory is allocated for it.
 *
 * To *move* an element is to copy its bytes and forget the source. That is right for all plain data and for most C
 * structs; it is wrong for a type that keeps a pointer to itself. Such an element is held by pointer.
 *
 * Pointers to elements that are passed to functions need not be aligned; pointers that a container gives out are.
 * ====================================================================================================== */

/**
 * Ends the life of `*element`. It must not unwind (a C++ exception that leaves it ends the process). It may call every
 * function of the library, except for the container that is being destroyed.
 */
typedef void (*conex_drop_fn)(void *element, void *ctx);

/**
 * Makes `*to`, which is uninitialised, a copy of `*from`. Returns 0, or a negative `conex_status` that the operation
 * then returns, with nothing changed. It must not unwind. It runs on the thread that called the operation, under a
 * guard.
 */
typedef int32_t (*conex_clone_fn)(void *to, const void *from, void *ctx);

/** The description of an element. Its layout is final: it is embedded by value in the options. */
typedef struct conex_element {
    /** Bytes of one element: at least 1, at most 2^30, and a multiple of `align`, as `sizeof` always is. */
    size_t size;
    /** Alignment in bytes: a power of two, at most 4096. */
    size_t align;
    /**
     * Called for each element that the container still holds when it is destroyed, or that it discards. NULL: nothing
     * needs to be done.
     */
    conex_drop_fn drop;
    /**
     * Called where a map copies a value or a key. NULL: the bytes are copied, if `drop` is NULL too; else the element
     * cannot be copied.
     */
    conex_clone_fn clone;
    /** Passed to `drop` and `clone`. It must stay valid until the container is destroyed. */
    void *ctx;
} conex_element;

/**
 * Gives `size` bytes aligned to `align`, or NULL; memory that is not so aligned is given back at once and counts as
 * NULL. The alignment is a power of two: that of the elements or 128 bytes in most cases, but 4096 or more for the chunks
 * of a stack. Called from any thread that uses the container, at the same time too. It must not unwind.
 */
typedef void *(*conex_alloc_fn)(size_t size, size_t align, void *ctx);

/**
 * Takes back what a `conex_alloc_fn` gave, with the same size and alignment. Called from any thread that uses the
 * container's domain, inside any call that does, at the same time too. It must not unwind.
 */
typedef void (*conex_free_fn)(void *ptr, size_t size, size_t align, void *ctx);

/**
 * Where the memory of a container comes from: both functions, or neither for the allocator of the process. All that
 * was allocated has been given back when the container's destroy function returns. Operations that allocate are as
 * lock-free as `alloc` is, and all are only if `free` is. The handle itself and the bookkeeping of the reclamation come
 * from the process's allocator.
 */
typedef struct conex_allocator {
    /** Gives memory. */
    conex_alloc_fn alloc;
    /** Takes it back. */
    conex_free_fn free;
    /** Passed to both. */
    void *ctx;
} conex_allocator;

/* An element of 8 bytes: a word, a pointer, a number. */
#define CONEX_ELEMENT_WORD {8, 8, NULL, NULL, NULL}

/* The allocator of the process. */
#define CONEX_ALLOCATOR_PROCESS {NULL, NULL, NULL}

/* =========================================================================================================
 * Domains
 *
 * A domain is a clock for reclamation and those who go by it. What a container unlinks is freed when every operation
 * and guard that was under way in the domain at that time has ended. Containers of one domain share the clock; a guard
 * in one domain does not hold back the memory of another. Most programs use the default domain, which is what NULL
 * means in every place for a domain.
 * ====================================================================================================== */

/** A domain; made by `conex_domain_new`. */
typedef struct conex_domain conex_domain;

/**
 * Called when at least `limit_bytes` wait in a domain, and again each time that twice as much waits as at the last call;
 * when less than half of the limit waits, it begins anew. `pending_bytes` wait now, and the domain's oldest guard has been
 * held for `oldest_guard_ns` nanoseconds without a refresh (0: none is held).
 *
 * The thread calls it whose retirement completed a batch (64 of them, or 32 KiB), inside that call, after what could be
 * freed has been; several threads may do so at the same time. It may call every function of the library, but
 * `conex_domain_barrier` for the domain answers `CONEX_ERR_STALLED`; it must leave the guards of its thread as it found
 * them, and it must not unwind.
 */
typedef void (*conex_limit_fn)(size_t pending_bytes, uint64_t oldest_guard_ns, void *ctx);

/** How a domain is made. Initialise it with `CONEX_DOMAIN_OPTIONS_INIT`. */
typedef struct conex_domain_options {
    /** `sizeof(conex_domain_options)`, as the macro sets it. */
    size_t struct_size;
    /** Must be 0. */
    uint64_t flags;
    /** A soft limit: `on_limit` is called when so many bytes wait to be freed. 0: no limit. */
    size_t limit_bytes;
    /** NULL if and only if there is no limit. */
    conex_limit_fn on_limit;
    /** Passed to `on_limit`. It must stay valid until the domain is destroyed. */
    void *limit_ctx;
} conex_domain_options;

/** What waits in a domain. Initialise it with `CONEX_DOMAIN_STATS_INIT`. */
typedef struct conex_domain_stats {
    /** `sizeof(conex_domain_stats)`, as the macro sets it. */
    size_t struct_size;
    /** Blocks and pointers that were retired and not freed yet. */
    size_t pending_objects;
    /** Their bytes, each rounded up to a multiple of 16. */
    size_t pending_bytes;
    /** Guards that are held. */
    size_t guards;
    /** For how many nanoseconds the oldest of them has been held without a refresh. */
    uint64_t oldest_guard_ns;
} conex_domain_stats;

/**
 * Makes a domain.
 *
 * @param options  How; NULL for the defaults.
 * @param out      Receives the domain with `CONEX_OK`. To be destroyed with `conex_domain_destroy`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_NO_MEMORY
 * @retval CONEX_ERR_INVALID  The options cannot be, or a limit without a function, or the other way round.
 *
 * Progress: lock-free if the process allocator is.
 */
CONEX_API conex_status conex_domain_new(const struct conex_domain_options *options, struct conex_domain **out);

/**
 * Destroys a domain and frees all that waits in it, calling the functions of `conex_domain_retire` on this thread.
 *
 * @param domain  The domain, which no other thread uses any more; NULL is allowed and does nothing (the default domain
 *                is not destroyed).
 *
 * @retval CONEX_OK
 * @retval CONEX_BUSY         A container or a guard still uses it, or a call on it is under way, as it is in the domain's
 *                            retire functions; nothing was changed. A container may itself wait in the domain, to be
 *                            destroyed by a retire function: `conex_domain_barrier` first.
 * @retval CONEX_ERR_HANDLE   Not a live domain (recently destroyed ones are recognised).
 * @retval CONEX_ERR_INVALID  It is the default domain, which lives as long as the process.
 *
 * Progress: may block: waits for a thread that is just freeing memory of this domain, if there is one.
 */
CONEX_API conex_status conex_domain_destroy(struct conex_domain *domain);

/**
 * The domain that is used where NULL is given for one. It lives as long as the process.
 *
 * @return The domain; NULL only if there is no memory for it at its first use.
 *
 * Progress: lock-free if the process allocator is, at the first use; wait-free then.
 */
CONEX_API struct conex_domain *conex_domain_default(void);

/**
 * Moves the domain's clock on if it can be moved, and frees what is due. One step, which never waits; what was retired
 * just now needs at least two.
 *
 * @param domain  The domain; NULL for the default one.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 *
 * Progress: lock-free. May call drop and retire functions on this thread. In one of these it does nothing.
 */
CONEX_API conex_status conex_domain_flush(struct conex_domain *domain);

/**
 * Waits until all that was retired in the domain before the call, by any thread and any container, has been freed.
 *
 * @param domain      The domain; NULL for the default one.
 * @param timeout_ns  How many nanoseconds to wait at most, on a clock that only moves forward; `UINT64_MAX` for ever. 0
 *                    tries once, which succeeds only if nothing is pending.
 *
 * @retval CONEX_OK
 * @retval CONEX_TIMEOUT      Something holds memory back, most often a guard on another thread.
 * @retval CONEX_ERR_STALLED  This thread holds a guard of the domain itself, or is in a drop or retire function that a
 *                            call on the domain runs.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 *
 * Progress: may block. May call drop and retire functions on this thread.
 */
CONEX_API conex_status conex_domain_barrier(struct conex_domain *domain, uint64_t timeout_ns);

/**
 * Tells what waits in the domain, and for whom. The numbers are estimates while other threads are at work.
 *
 * @param domain  The domain; NULL for the default one.
 * @param stats   Made by `CONEX_DOMAIN_STATS_INIT`; its other fields receive the numbers with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 * @retval CONEX_ERR_INVALID  `stats->struct_size` is not that of a `conex_domain_stats`.
 *
 * Progress: wait-free, in the number of threads that ever used the domain at once; does not allocate.
 */
CONEX_API conex_status conex_domain_stats_get(struct conex_domain *domain, struct conex_domain_stats *stats);

/* The defaults of a conex_domain_options: no limit. */
#define CONEX_DOMAIN_OPTIONS_INIT {sizeof(conex_domain_options), 0, 0, NULL, NULL}

/* An empty conex_domain_stats. */
#define CONEX_DOMAIN_STATS_INIT {sizeof(conex_domain_stats), 0, 0, 0, 0}

/* =========================================================================================================
 * Domains: retiring
 *
 * A domain also reclaims for structures of your own: unlink, then `conex_domain_retire`; read under a `conex_guard`.
 * ====================================================================================================== */

/**
 * Called once for a retired pointer, inside a later call that uses the domain, by any thread. It may call every function
 * of the library, and retire more; `conex_domain_barrier` for its own domain answers `CONEX_ERR_STALLED` there. It must
 * leave the guards of its thread as it found them, and it must not unwind.
 */
typedef void (*conex_retire_fn)(void *ptr, void *ctx);

/**
 * Room for one retirement inside an object, so that retiring it needs no memory. What it holds before does not matter,
 * from the retirement until the object's end it is the library's. Its layout is final.
 */
typedef struct conex_retire_node {
    /** The library's. */
    uint64_t opaque[6];
} conex_retire_node;

/**
 * Calls `call(ptr, ctx)` once, later, when every guard of the domain that is held now has been left or refreshed and
 * every operation that is under way has ended. Unlink `ptr` before, so that no thread can find it any more.
 *
 * @param domain  The domain; NULL for the default one.
 * @param ptr     Passed to `call`; not used otherwise.
 * @param bytes   How much memory it stands for: feeds the statistics, and the decision when to free.
 * @param call    Called on any thread that uses the domain, inside one of its calls, or in the domain's destruction.
 * @param ctx     Passed to `call`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL       `call` is NULL.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  `call` will not be called; `ptr` is still the caller's.
 *
 * Progress: lock-free if the process allocator is; allocates one small block.
 */
CONEX_API conex_status conex_domain_retire(
        conex_domain *domain,
        void *ptr,
        size_t bytes,
        conex_retire_fn call,
        void *ctx);

/**
 * As `conex_domain_retire`, in room that the object brings along: needs no memory.
 *
 * @param domain  The domain; NULL for the default one.
 * @param node    The room, most often a part of what `ptr` points to. Must stay until `call` is called, which may free
 *                it.
 * @param ptr     Passed to `call`; not used otherwise.
 * @param bytes   How much memory it stands for.
 * @param call    Called once, as by `conex_domain_retire`.
 * @param ctx     Passed to `call`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL     `node` or `call` is NULL.
 * @retval CONEX_ERR_INVALID  `node` is not aligned.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_domain_retire_node(
        conex_domain *domain,
        struct conex_retire_node *node,
        void *ptr,
        size_t bytes,
        conex_retire_fn call,
        void *ctx);

/* =========================================================================================================
 * Guards
 *
 * A guard is a session of one thread over many operations. Every operation on a container protects what it reads
 * from being freed under it, which costs one locked instruction; under a guard that is paid once. And pointers into a
 * map (`conex_map_get_ref`) are valid as long as the guard they were obtained under.
 *
 * In exchange, memory that is retired in the guard's domain, by any thread, is not freed while the guard is held. Hold
 * one over a batch of work, never over a wait, and refresh it between batches.
 *
 * A guard belongs to the thread that entered it and is refreshed and left there. Guards nest, and may be left in any
 * order. A thread that ends without having left its guard stalls the domain for ever.
 * ====================================================================================================== */

/** A session; made by `conex_guard_enter`. */
typedef struct conex_guard conex_guard;

/**
 * Enters a session on the calling thread.
 *
 * @param domain  The domain of the containers that it is for; NULL for the default one.
 * @param out     Receives the guard with `CONEX_OK`. To be left with `conex_guard_leave`, on this thread.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free if the process allocator is; allocates one small block, and more on the thread's first use of
 * the domain.
 */
CONEX_API conex_status conex_guard_enter(conex_domain *domain, struct conex_guard **out);

/**
 * Begins a session of the calling thread without a guard: cheaper than `conex_guard_enter`, for short reads of your own
 * structures. It protects as a guard does; `conex_map_get_ref` wants a guard. Sessions nest, with guards too.
 *
 * @param domain  The domain; NULL for the default one. Until the session has ended `conex_domain_destroy` answers
 *                `CONEX_BUSY`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 *
 * Progress: lock-free; does not allocate, but on the thread's first use of the domain.
 */
CONEX_API conex_status conex_domain_lock(conex_domain *domain);

/**
 * Ends a session that the calling thread began by `conex_domain_lock`. Not to be called where that may have been long
 * ago: in a thread's very last destructors.
 *
 * @param domain  The domain; NULL for the default one.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    This thread has begun no such session in the domain.
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 *
 * Progress: lock-free; does not allocate. May call drop and retire functions on this thread.
 */
CONEX_API conex_status conex_domain_unlock(conex_domain *domain);

/**
 * Ends the session and begins a new one with the same guard: pointers obtained under it are not valid any more, and
 * memory that it held back can be freed. While another guard of this thread and domain is held, it does nothing.
 *
 * @param guard  The guard.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  The guard was entered on another thread, or is just being refreshed: this is a drop or
 *                            retire function that its refresh runs.
 *
 * Progress: lock-free. May call drop and retire functions on this thread.
 */
CONEX_API conex_status conex_guard_refresh(struct conex_guard *guard);

/**
 * Leaves a session and frees its guard.
 *
 * @param guard  The guard; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE   Not a live guard (recently left ones are recognised).
 * @retval CONEX_ERR_INVALID  The guard was entered on another thread, or is just being refreshed: this is a drop or
 *                            retire function that its refresh runs.
 *
 * Progress: wait-free, if the process allocator is.
 */
CONEX_API conex_status conex_guard_leave(struct conex_guard *guard);

/* =========================================================================================================
 * Hazard pointers
 *
 * A hazard pointer protects one object of a structure of your own: while it does, the object is not freed, however long
 * that takes, and nothing else is held back. A guard costs less for many short reads; a hazard pointer is for a reader
 * that may take long or stop for ever.
 *
 *     conex_hazard *hazard;                                   // one a thread, made once
 *     conex_hazard_new(NULL, &hazard);
 *     ...
 *     conex_hazard_protect(hazard, &current, (void **)&seen); // current: _Atomic(struct config *)
 *     use(seen);                                              // not freed before the hazard says so
 *     conex_hazard_reset(hazard, NULL);
 *     ...
 *     old = atomic_exchange(&current, next);                  // unlink, then
 *     conex_hazard_retire(NULL, old, sizeof *old, free_config, NULL);
 *
 * What is protected by hazard pointers is retired by `conex_hazard_retire`, in the same domain; `conex_domain_retire` looks
 * at guards only, and `conex_hazard_retire` at hazard pointers only.
 *
 * With H hazard pointers in the domain (the largest number that there ever was at once), T threads that retire, and F
 * threads that stand still inside a call that retires, at most (1 + F) * (64 + 2 H + T) retired objects wait at any time,
 * H of them because they are protected. Every 64 + 2 H retirements one of them looks at all hazard pointers and calls
 * what is due; `conex_domain_flush` and `conex_domain_barrier` do so at once.
 * ====================================================================================================== */

/** A hazard pointer; made by `conex_hazard_new`. Used by one thread at a time, but not always by the same. */
typedef struct conex_hazard conex_hazard;

/**
 * Makes a hazard pointer, which protects nothing yet.
 *
 * @param domain  The domain to which the objects are retired; NULL for the default one.
 * @param out     Receives the hazard pointer with `CONEX_OK`. To be destroyed with `conex_hazard_destroy`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free if the process allocator is; takes time in the number of hazard pointers of the domain.
 */
CONEX_API conex_status conex_hazard_new(conex_domain *domain, struct conex_hazard **out);

/**
 * Destroys a hazard pointer, which protects nothing then.
 *
 * @param hazard  The hazard pointer; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE  Not a live hazard pointer (recently destroyed ones are recognised).
 *
 * Progress: wait-free, if the process allocator is.
 */
CONEX_API conex_status conex_hazard_destroy(struct conex_hazard *hazard);

/**
 * Loads a pointer and protects what it points to, in place of what was protected before.
 *
 * @param hazard  The hazard pointer.
 * @param source  The address of an atomic pointer to an object: `_Atomic(T *)` in C, `std::atomic<T *>` in C++. Objects
 *                are unlinked from it before they are retired.
 * @param out     Receives the pointer with `CONEX_OK`. If it is not NULL, the object is not freed before the hazard
 *                pointer protects something else, is reset or destroyed.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `source` is not aligned.
 *
 * Progress: lock-free: repeats only when `source` has changed; does not allocate. Costs a load and a comparison if the
 * object is the one that is protected already.
 */
CONEX_API conex_status conex_hazard_protect(struct conex_hazard *hazard, const void *source, void **out);

/**
 * Protects an object if a pointer still leads to it, in place of what was protected before.
 *
 * @param hazard  The hazard pointer.
 * @param ptr     In: what `source` was seen to hold. Out, with `CONEX_OK` the same, with `CONEX_MISMATCH` what it holds
 *                now.
 * @param source  As for `conex_hazard_protect`.
 *
 * @retval CONEX_OK        `*ptr` is protected, if it is not NULL.
 * @retval CONEX_MISMATCH  `source` holds another pointer. The hazard pointer protects nothing.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `source` is not aligned.
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_hazard_try_protect(struct conex_hazard *hazard, void **ptr, const void *source);

/**
 * Ends the protection, and protects `ptr` instead, if it is not NULL.
 *
 * @param hazard  The hazard pointer.
 * @param ptr     NULL, or an object that cannot be retired before the call returns, such as one that is not shared yet.
 *                For all others there is `conex_hazard_protect`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE  `hazard`.
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_hazard_reset(struct conex_hazard *hazard, const void *ptr);

/**
 * Calls `call(ptr, ctx)` once, later, when no hazard pointer of the domain protects `ptr`. Unlink it before, from every
 * pointer that it can be protected through. Guards do not matter to it.
 *
 * @param domain  The domain of the hazard pointers; NULL for the default one.
 * @param ptr     What hazard pointers protect, and `call` gets.
 * @param bytes   How much memory it stands for: feeds the statistics.
 * @param call    Called on any thread that uses the domain, inside one of its calls, or in the domain's destruction.
 * @param ctx     Passed to `call`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL       `call` is NULL.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  `call` will not be called; `ptr` is still the caller's.
 *
 * Progress: lock-free if the process allocator is; allocates one small block. May call drop and retire functions on this
 * thread.
 */
CONEX_API conex_status conex_hazard_retire(
        conex_domain *domain,
        void *ptr,
        size_t bytes,
        conex_retire_fn call,
        void *ctx);

/**
 * As `conex_hazard_retire`, in room that the object brings along: needs no memory.
 *
 * @param domain  The domain of the hazard pointers; NULL for the default one.
 * @param node    The room, most often a part of what `ptr` points to. Must stay until `call` is called, which may free
 *                it.
 * @param ptr     What hazard pointers protect, and `call` gets.
 * @param bytes   How much memory it stands for.
 * @param call    Called once, as by `conex_hazard_retire`.
 * @param ctx     Passed to `call`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL     `node` or `call` is NULL.
 * @retval CONEX_ERR_INVALID  `node` is not aligned.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
 *
 * Progress: lock-free; does not allocate. May call drop and retire functions on this thread.
 */
CONEX_API conex_status conex_hazard_retire_node(
        conex_domain *domain,
        conex_retire_node *node,
        void *ptr,
        size_t bytes,
        conex_retire_fn call,
        void *ctx);

/* =========================================================================================================
 * Shared values
 *
 * A value that is shared by counting its references, and a place that holds such a reference and may be read and written
 * by any thread at any time. What a load gives is a reference of its own: it may be kept for as long as one likes, without
 * a guard, and holds back nothing else.
 *
 *     conex_ref *first, *seen;
 *     conex_shared *current;
 *     conex_ref_new(NULL, &element, &config, &first);   // moves the config into a counted block
 *     conex_shared_new(NULL, first, &current);          // the place owns that reference now
 *     ...
 *     conex_shared_load(current, &seen);                // another thread's own reference
 *     use(conex_ref_value(seen));
 *     conex_ref_release(seen);                          // the last one ends the value, here and now
 *
 * The value ends with its last reference, on the thread that gives it up. Its memory is freed a little later, by the
 * domain, which cannot be destroyed before the references and places that belong to it.
 *
 * There are no weak references, and none to a part of a value. A cycle of references is never freed.
 * ====================================================================================================== */

/** A reference to a shared value; made by `conex_ref_new`, and by loads. */
typedef struct conex_ref conex_ref;

/**
 * Makes `*to`, which is uninitialised. Returns 0, or a negative `conex_status` that the operation then returns, with
 * nothing changed. It must not unwind. It runs on the thread that called the operation, and may call every function of
 * the library.
 */
typedef int32_t (*conex_ref_make_fn)(void *to, void *ctx);

/**
 * Moves a value into a new counted block.
 *
 * @param domain   The domain of the places that it can be put into; NULL for the default one.
 * @param element  The layout of the value, and what ends it: `drop` is called on the thread that releases the last
 *                 reference, inside that call. NULL: an 8-byte word. `clone` is not used.
 * @param value    The value, `element->size` bytes, which need not be aligned. It is the block's with `CONEX_OK`.
 * @param out      Receives the first reference with `CONEX_OK`. To be given up by `conex_ref_release`, or put into a place.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
 * @retval CONEX_ERR_INVALID  The element cannot be.
 *
 * Progress: lock-free if the process allocator is; allocates one block: the value and some 100 bytes.
 */
CONEX_API conex_status conex_ref_new(
        conex_domain *domain,
        const conex_element *element,
        const void *value,
        struct conex_ref **out);

/**
 * Makes a value where it will be: for those that cannot be moved.
 *
 * @param domain   The domain of the places that it can be put into; NULL for the default one.
 * @param element  As for `conex_ref_new`.
 * @param make     Called once, with the value's place, aligned as the element says, and `ctx`.
 * @param ctx      Passed to `make`.
 * @param out      Receives the first reference with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
 * @retval CONEX_ERR_INVALID  The element cannot be.
 * @return Or what `make` returned, if that is not 0.
 *
 * Progress: lock-free if the process allocator and `make` are; allocates one block.
 */
CONEX_API conex_status conex_ref_make(
        conex_domain *domain,
        const conex_element *element,
        conex_ref_make_fn make,
        void *ctx,
        struct conex_ref **out);

/**
 * The value of a reference.
 *
 * @param ref  The reference.
 *
 * @return The value, aligned as its element says, valid as long as the reference; NULL if `ref` is NULL or no live
 *         reference.
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API void *conex_ref_value(const struct conex_ref *ref);

/**
 * One more reference to a value, for which the same pointer stands: each is released on its own.
 *
 * @param ref  The reference.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_ref_retain(struct conex_ref *ref);

/**
 * Gives up a reference. With the last one the value ends: its `drop` is called, on this thread.
 *
 * @param ref  The reference, which is not used after this; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE  Not a live reference (one whose value has just ended is recognised, in most cases).
 *
 * Progress: wait-free, but for `drop` and, with the last reference, for the process allocator.
 */
CONEX_API conex_status conex_ref_release(struct conex_ref *ref);

/**
 * How many references to a value there are, those of places included. An estimate while other threads are at work.
 *
 * @param ref    The reference.
 * @param count  Receives the number with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_ref_count(const struct conex_ref *ref, size_t *count);

/* =========================================================================================================
 * Shared values: places
 *
 * A place for a reference. Its functions may be called by any number of threads at the same time, but destroy; each takes
 * effect at one moment during its call.
 * ====================================================================================================== */

/** A place for a reference; made by `conex_shared_new`. */
typedef struct conex_shared conex_shared;

/**
 * Makes a place.
 *
 * @param domain  The domain of the references that are put into it; NULL for the default one.
 * @param first   A reference that the place holds at first, and owns with `CONEX_OK`; NULL for none.
 * @param out     Receives the place with `CONEX_OK`. To be destroyed with `conex_shared_destroy`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
 * @retval CONEX_ERR_INVALID  `first` is of another domain.
 *
 * Progress: lock-free if the process allocator is; allocates.
 */
CONEX_API conex_status conex_shared_new(conex_domain *domain, conex_ref *first, struct conex_shared **out);

/**
 * Destroys a place, and releases what it holds.
 *
 * @param shared  The place, which no other thread uses any more; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE  Not a live place (recently destroyed ones are recognised).
 *
 * Progress: as `conex_ref_release`.
 */
CONEX_API conex_status conex_shared_destroy(struct conex_shared *shared);

/**
 * A reference to what the place holds.
 *
 * @param shared  The place.
 * @param out     Receives the reference with `CONEX_OK`, NULL if the place holds none. To be released.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free: repeats when the place has changed, or another thread counted at the same moment; does not
 * allocate. May call drop and retire functions of the domain on this thread.
 */
CONEX_API conex_status conex_shared_load(const struct conex_shared *shared, conex_ref **out);

/**
 * Puts a reference into the place, and releases what was there.
 *
 * @param shared  The place.
 * @param next    The reference, which is the place's with `CONEX_OK`; NULL for none.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL     `shared` is NULL.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `next` is of another domain than the place.
 *
 * Progress: as `conex_ref_release`.
 */
CONEX_API conex_status conex_shared_store(const struct conex_shared *shared, conex_ref *next);

/**
 * Puts a reference into the place, and gives out what was there.
 *
 * @param shared  The place.
 * @param next    The reference, which is the place's with `CONEX_OK`; NULL for none.
 * @param old     Receives what was there, or NULL, with `CONEX_OK`. To be released.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL     `shared` or `old` is NULL.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `next` is of another domain than the place.
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_shared_exchange(const struct conex_shared *shared, conex_ref *next, conex_ref **old);

/**
 * Puts a reference into the place if that holds `expected`: the same value, not an equal one.
 *
 * @param shared    The place.
 * @param expected  A reference of the caller's, which stays the caller's; NULL for "none".
 * @param next      The reference to put in, which is the place's with `CONEX_OK`, and still the caller's else; NULL for
 *                  none.
 * @param actual    Optional: receives a reference to what the place holds, or NULL, with `CONEX_MISMATCH`. To be released.
 *
 * @retval CONEX_OK        The place's reference to `expected` was released.
 * @retval CONEX_MISMATCH  The place holds something else.
 * @retval CONEX_ERR_NULL     `shared` is NULL.
 * @retval CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `next` is of another domain than the place.
 *
 * Progress: lock-free, as `conex_shared_load`; does not allocate.
 */
CONEX_API conex_status conex_shared_compare_exchange(
        const struct conex_shared *shared,
        const conex_ref *expected,
        conex_ref *next,
        conex_ref **actual);

/* =========================================================================================================
 * Stack
 *
 * A stack gives back last what came in first, to any number of threads. It grows as needed. All functions but destroy
 * may be called by any number of threads at the same time; each takes effect at one moment during its call.
 *
 * An element that is pushed moves into the stack, one that is popped moves out: `drop` is never called for it, and no
 * destructor is ever delayed. A batch is one atomic step.
 * ====================================================================================================== */

/** A stack; made by `conex_stack_new`. */
typedef struct conex_stack conex_stack;

/** How a stack is made. Initialise it with `CONEX_STACK_OPTIONS_INIT`, then change what should differ. */
typedef struct conex_stack_options {
    /** `sizeof(conex_stack_options)`, as the macro sets it. */
    size_t struct_size;
    /** Must be 0. */
    uint64_t flags;
    /** What the stack holds; 8-byte words by default. */
    conex_element element;
    /** The domain that reclaims the stack's memory; NULL for the default one. It must outlive the stack. */
    conex_domain *domain;
    /** Where the stack's memory comes from. */
    conex_allocator allocator;
} conex_stack_options;

/** Called with an element that is the callback's own from then on: it moves it out, or ends its life. */
typedef void (*conex_take_fn)(void *element, void *ctx);

/**
 * Makes an empty stack.
 *
 * @param options  How; NULL for a stack of 8-byte words in the default domain.
 * @param out      Receives the stack, with `CONEX_OK`. To be destroyed with `conex_stack_destroy`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL       `out` is NULL.
 * @retval CONEX_ERR_INVALID    An option is out of range: see `conex_stack_options` and `conex_element`.
 * @retval CONEX_ERR_HANDLE     `options->domain` is not a live domain.
 * @retval CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free if the allocator is.
 */
CONEX_API conex_status conex_stack_new(const struct conex_stack_options *options, struct conex_stack **out);

/**
 * Destroys a stack: ends the life of the elements it still holds with their `drop`, on this thread, and gives back all
 * its memory before it returns.
 *
 * @param stack  The stack, which no other thread uses any more; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE  Not a live stack (recently destroyed ones are recognised).
 *
 * Progress: may block: waits for a thread that is just giving back memory of this stack, if there is one.
 */
CONEX_API conex_status conex_stack_destroy(struct conex_stack *stack);

/**
 * Moves an element onto the top of the stack.
 *
 * @param stack    The stack.
 * @param element  The element; with `CONEX_OK` it is the stack's.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  The element is still the caller's.
 *
 * Progress: lock-free if the allocator is; allocates memory for many nodes now and then.
 */
CONEX_API conex_status conex_stack_push(struct conex_stack *stack, const void *element);

/**
 * Moves `n` elements onto the stack in one atomic step; the last of the array ends on top.
 *
 * @param stack     The stack.
 * @param elements  An array of `n` elements; with `CONEX_OK` all are the stack's. May be NULL if `n` is 0.
 * @param n         How many.
 * @param count     Optional. Receives `n` with `CONEX_OK`, 0 with `CONEX_ERR_NO_MEMORY`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    No array can have `n` elements.
 * @retval CONEX_ERR_NO_MEMORY  All elements are still the caller's.
 *
 * Progress: lock-free if the allocator is; allocates memory for many nodes now and then.
 */
CONEX_API conex_status conex_stack_push_n(struct conex_stack *stack, const void *elements, size_t n, size_t *count);

/**
 * Moves the top element out of the stack.
 *
 * @param stack    The stack.
 * @param element  Receives the element with `CONEX_OK`; it is the caller's then.
 *
 * @retval CONEX_OK
 * @retval CONEX_EMPTY
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free; allocates nothing but the thread's own bookkeeping, at its first use of
 * the stack, and does without if there is no memory for it.
 */
CONEX_API conex_status conex_stack_pop(struct conex_stack *stack, void *element);

/**
 * Moves up to `n` elements out of the stack in one atomic step, the top one first.
 *
 * @param stack     The stack.
 * @param elements  Room for `n` elements; the first `*count` are written. May be NULL if `n` is 0.
 * @param n         How many at most.
 * @param count     Receives how many were popped.
 *
 * @retval CONEX_OK     At least one was popped, or `n` is 0.
 * @retval CONEX_EMPTY  `*count` is 0.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  No array can have `n` elements.
 *
 * Progress: lock-free; allocates nothing but the thread's own bookkeeping, at its first use of
 * the stack, and does without if there is no memory for it.
 */
CONEX_API conex_status conex_stack_pop_n(struct conex_stack *stack, void *elements, size_t n, size_t *count);

/**
 * Takes all elements out of the stack in one atomic step, then hands them to `take`, from the top down.
 *
 * @param stack  The stack.
 * @param take   Called once for each element, on this thread, under no guard; it may call every function of the
 *               library, for this stack too, but not destroy it. NULL: the elements' lives are ended with their
 *               `drop`.
 * @param ctx    Passed to `take`.
 * @param count  Optional. Receives how many there were.
 *
 * @retval CONEX_OK     At least one was taken.
 * @retval CONEX_EMPTY
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free, with one call an element after the step; allocates as `conex_stack_pop`.
 */
CONEX_API conex_status conex_stack_pop_all(struct conex_stack *stack, conex_take_fn take, void *ctx, size_t *count);

/**
 * Tells how many elements the stack holds: an estimate while other threads push and pop, exact when they are done.
 *
 * @param stack  The stack.
 * @param len    Receives the number with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: wait-free, in the number of threads that ever used the domain at once; does not allocate.
 */
CONEX_API conex_status conex_stack_len(const struct conex_stack *stack, size_t *len);

/**
 * Tells whether the stack was empty at a moment during the call.
 *
 * @param stack  The stack.
 * @param empty  Receives the answer with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_stack_is_empty(const struct conex_stack *stack, bool *empty);

/* The defaults of a conex_stack_options: 8-byte words, the default domain, the allocator of the process. */
#define CONEX_STACK_OPTIONS_INIT \
    {sizeof(conex_stack_options), 0, CONEX_ELEMENT_WORD, NULL, CONEX_ALLOCATOR_PROCESS}

/* =========================================================================================================
 * Queue
 *
 * A queue hands elements over in the order in which they came in, from any number of threads to any number of threads.
 * It grows as needed. All functions but destroy may be called by any number of threads at the same time; each takes
 * effect at one moment during its call, a batch with one moment for each of its elements. There is one order for all
 * of them: what one thread pushes comes out in its order, and an element that was in before another was pushed comes
 * out before it.
 *
 * An element that is pushed moves into the queue, one that is popped moves out: `drop` is never called for it, and no
 * destructor is ever delayed. No thread ever waits for another: one that is stopped inside a push hides its own element
 * only, and one that is stopped anywhere holds back at most a few segments of the queue's memory. Guards do not matter
 * to a queue.
 * ====================================================================================================== */

/** A queue; made by `conex_queue_new`. */
typedef struct conex_queue conex_queue;

/** How a queue is made. Initialise it with `CONEX_QUEUE_OPTIONS_INIT`, then change what should differ. */
typedef struct conex_queue_options {
    /** `sizeof(conex_queue_options)`, as the macro sets it. */
    size_t struct_size;
    /** Must be 0. */
    uint64_t flags;
    /** What the queue holds; 8-byte words by default. */
    conex_element element;
    /** The domain whose threads use the queue; NULL for the default one. It must outlive the queue. */
    conex_domain *domain;
    /** Where the queue's memory comes from. */
    conex_allocator allocator;
    /**
     * Memory is allocated in segments of about this many elements. 0: chosen by the queue, which begins with about
     * 1 KiB and goes up to 16. A hint: a very large number is not followed.
     */
    size_t segment;
} conex_queue_options;

/**
 * Makes an empty queue.
 *
 * @param options  How; NULL for a queue of 8-byte words in the default domain.
 * @param out      Receives the queue, with `CONEX_OK`. To be destroyed with `conex_queue_destroy`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL       `out` is NULL.
 * @retval CONEX_ERR_INVALID    An option is out of range: see `conex_queue_options` and `conex_element`.
 * @retval CONEX_ERR_HANDLE     `options->domain` is not a live domain.
 * @retval CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free if the allocator is.
 */
CONEX_API conex_status conex_queue_new(const struct conex_queue_options *options, struct conex_queue **out);

/**
 * Destroys a queue: ends the life of the elements it still holds with their `drop`, oldest first, on this thread, and
 * gives back all its memory before it returns.
 *
 * @param queue  The queue, which no other thread uses any more; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE  Not a live queue (recently destroyed ones are recognised).
 *
 * Progress: wait-free but for the calls of `drop` and of the allocator.
 */
CONEX_API conex_status conex_queue_destroy(struct conex_queue *queue);

/**
 * Moves an element to the end of the queue.
 *
 * @param queue    The queue.
 * @param element  The element; with `CONEX_OK` it is the queue's.
 *
 * @retval CONEX_OK
 * @retval CONEX_CLOSED         The queue is closed. The element is still the caller's.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  The element is still the caller's.
 *
 * Progress: lock-free if the allocator is; allocates a segment now and then.
 */
CONEX_API conex_status conex_queue_push(struct conex_queue *queue, const void *element);

/**
 * Moves the oldest element out of the queue.
 *
 * @param queue    The queue.
 * @param element  Receives the element with `CONEX_OK`; it is the caller's then.
 *
 * @retval CONEX_OK
 * @retval CONEX_EMPTY
 * @retval CONEX_CLOSED  The queue is closed, and empty for ever.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_queue_pop(struct conex_queue *queue, void *element);

/**
 * Closes the queue, for good: pushes that begin afterwards get `CONEX_CLOSED`. Elements that are in can be popped;
 * after the last one, pops get `CONEX_CLOSED`, also those that are waiting. A push that is under way succeeds or gets
 * `CONEX_CLOSED`. To close a closed queue does nothing.
 *
 * @param queue  The queue.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_queue_close(struct conex_queue *queue);

/**
 * Tells whether the queue was closed.
 *
 * @param queue   The queue.
 * @param closed  Receives the answer with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_queue_is_closed(const struct conex_queue *queue, bool *closed);

/**
 * Tells about how many elements the queue holds: exactly, when nobody is pushing or popping.
 *
 * @param queue  The queue.
 * @param len    Receives the number with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_queue_len(const struct conex_queue *queue, size_t *len);

/**
 * Tells whether the queue was empty at a moment during the call.
 *
 * @param queue  The queue.
 * @param empty  Receives the answer with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_queue_is_empty(const struct conex_queue *queue, bool *empty);

/* The defaults of a conex_queue_options: 8-byte words, the default domain, the allocator of the process. */
#define CONEX_QUEUE_OPTIONS_INIT \
    {sizeof(conex_queue_options), 0, CONEX_ELEMENT_WORD, NULL, CONEX_ALLOCATOR_PROCESS, 0}

/* =========================================================================================================
 * Queue: many elements, and waiting
 *
 * Many elements in one call, and calls that wait for an element. Each element of a batch has a moment of its own; those
 * of one thread come out in the order in which they went in, whether single or in batches.
 * ====================================================================================================== */

/**
 * Moves `n` elements to the end of the queue, in the order of the array. The order is kept in any case; elements that
 * other threads push meanwhile may come between them. It costs much less than `n` single pushes.
 *
 * @param queue     The queue.
 * @param elements  An array of `n` elements; the first `*count` are the queue's afterwards. May be NULL if `n` is 0.
 * @param n         How many.
 * @param count     Optional. Receives `n` with `CONEX_OK`; with `CONEX_CLOSED` and `CONEX_ERR_NO_MEMORY`, how many are in
 *                  the queue.
 *
 * @retval CONEX_OK
 * @retval CONEX_CLOSED         The queue is closed. The elements from `*count` on are still the caller's.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    No array can have `n` elements.
 * @retval CONEX_ERR_NO_MEMORY  The elements from `*count` on are still the caller's. (Who passes no `count` cannot tell
 *                              which: pass one if elements need to be dropped.)
 *
 * Progress: lock-free if the allocator is; allocates segments as needed.
 */
CONEX_API conex_status conex_queue_push_n(conex_queue *queue, const void *elements, size_t n, size_t *count);

/**
 * Moves up to `n` elements out of the queue, the oldest first, each at a moment of its own. It takes what is there and
 * does not wait for more; while other threads push and pop, it may take fewer than there are.
 *
 * @param queue     The queue.
 * @param elements  Room for `n` elements; the first `*count` are written. May be NULL if `n` is 0.
 * @param n         How many at most.
 * @param count     Receives how many were popped.
 *
 * @retval CONEX_OK      At least one was popped, or `n` is 0.
 * @retval CONEX_EMPTY   `*count` is 0.
 * @retval CONEX_CLOSED  The queue is closed, and empty for ever; `*count` is 0.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  No array can have `n` elements.
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_queue_pop_n(conex_queue *queue, void *elements, size_t n, size_t *count);

/**
 * Moves the oldest element out of the queue, and waits for one if there is none.
 *
 * @param queue       The queue.
 * @param element     Receives the element with `CONEX_OK`; it is the caller's then.
 * @param timeout_ns  How many nanoseconds to wait at most, on a clock that only moves forward; `UINT64_MAX` for ever.
 *
 * @retval CONEX_OK
 * @retval CONEX_TIMEOUT  The time was up, and the queue empty.
 * @retval CONEX_CLOSED   The queue is closed, and empty for ever.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: may block. Who waits sleeps, without using the processor. Does not allocate.
 */
CONEX_API conex_status conex_queue_pop_wait(conex_queue *queue, void *element, uint64_t timeout_ns);

/**
 * Moves up to `n` elements out of the queue as `conex_queue_pop_n` does, and waits for the first one if there is none;
 * it does not wait for the others.
 *
 * @param queue       The queue.
 * @param elements    Room for `n` elements; the first `*count` are written. May be NULL if `n` is 0.
 * @param n           How many at most.
 * @param count       Receives how many were popped.
 * @param timeout_ns  How many nanoseconds to wait at most, on a clock that only moves forward; `UINT64_MAX` for ever.
 *
 * @retval CONEX_OK       At least one was popped, or `n` is 0.
 * @retval CONEX_TIMEOUT  The time was up, and the queue empty; `*count` is 0.
 * @retval CONEX_CLOSED   The queue is closed, and empty for ever; `*count` is 0.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  No array can have `n` elements.
 *
 * Progress: may block. Who waits sleeps, without using the processor. Does not allocate.
 */
CONEX_API conex_status conex_queue_pop_n_wait(
        conex_queue *queue,
        void *elements,
        size_t n,
        size_t *count,
        uint64_t timeout_ns);

/* =========================================================================================================
 * Map
 *
 * A map holds one value for each key. Every operation on one key is one atomic step, and no operation waits for another
 * thread, also not while the map grows or shrinks, which it does by itself.
 *
 * Keys are only read: the map keeps its own copy. They are of a fixed size (8-byte words by default), or byte strings of
 * any length (`options.key = CONEX_KEY_BYTES`); there is no key and no value that is reserved. A function gets a key as a
 * pointer and a length in bytes, which for keys of a fixed size is that size.
 *
 * Values are moved in exactly when the status says so. What comes out (`value`, `old`, `current`) is a copy: of the
 * bytes, or by the value's `clone`. A value type with `drop` and without `clone` cannot be copied: pass NULL for the
 * optional parameter, or use `conex_map_get_ref`, `conex_map_update` or `conex_map_for_each`. A value in the map is never
 * changed in place; an update puts a new one in its place, and the old one is dropped when nobody can be reading it any
 * more: later, on any thread that uses the domain.
 *
 * Values of at most 8 bytes, without `drop` and `clone`, lie in the table itself, and so do keys of a fixed size of at most
 * 8 bytes without callbacks. Other keys lie in one block each. So for counters, whatever their keys, nothing is allocated
 * and nothing retired but when a key comes or goes. Other values lie in one block with their key, and each update makes a
 * new one.
 *
 * Callbacks run on the calling thread, under a guard, and may call every function of the library for every object but
 * the one whose creation or destruction is under way.
 * ====================================================================================================== */

/** A map; made by `conex_map_new`. */
typedef struct conex_map conex_map;

/** What the keys of a map are: `CONEX_KEY_FIXED` or `CONEX_KEY_BYTES`. */
typedef int32_t conex_key_kind;

/**
 * The hash of a key: equal keys must have equal hashes, always. Keys with equal hashes are told apart by `equal`, one after
 * the other; the map mixes the bits itself. It must not unwind.
 */
typedef uint64_t (*conex_hash_fn)(const void *key, size_t key_len, uint64_t seed, void *ctx);

/** Whether two keys are equal: an equivalence that never changes. It must not unwind. */
typedef bool (*conex_equal_fn)(const void *a, size_t a_len, const void *b, size_t b_len, void *ctx);

/** How a map is made. Initialise it with `CONEX_MAP_OPTIONS_INIT`, then change what should differ. */
typedef struct conex_map_options {
    /** `sizeof(conex_map_options)`, as the macro sets it. */
    size_t struct_size;
    /** Must be 0. */
    uint64_t flags;
    /** What keys are. */
    conex_key_kind key;
    /**
     * For `CONEX_KEY_FIXED`: size, alignment, and optionally `clone` and `drop` of keys, which come together: without
     * them the map keeps a copy of the bytes. The map moves its keys, and may read a key at its old and its new place at
     * the same time: neither may depend on its address. For `CONEX_KEY_BYTES` it must be as the macro sets it.
     */
    conex_element key_element;
    /** What values are; 8-byte words by default. */
    conex_element value;
    /** The hash of keys; NULL, together with `equal`, for a seeded hash of the bytes. */
    conex_hash_fn hash;
    /** The equality of keys; NULL, together with `hash`, for that of the bytes. */
    conex_equal_fn equal;
    /** Passed to `hash` and `equal`. It must stay valid until the map is destroyed. */
    void *key_ctx;
    /** The seed of the hash; 0 for one that is random for each map, so that nobody can choose keys that collide. */
    uint64_t seed;
    /** Entries to make room for at once; 0 for a small map. */
    size_t capacity;
    /** The domain that reclaims the map's memory; NULL for the default one. It must outlive the map. */
    conex_domain *domain;
    /** Where the map's memory comes from. */
    conex_allocator allocator;
} conex_map_options;

/** Keys have the size that `key_element` says. */
#define CONEX_KEY_FIXED 0

/** Keys are byte strings of any length, 0 included. */
#define CONEX_KEY_BYTES 1

/**
 * Makes an empty map.
 *
 * @param options  How; NULL for a map from 8-byte words to 8-byte words in the default domain.
 * @param out      Receives the map, with `CONEX_OK`. To be destroyed with `conex_map_destroy`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL       `out` is NULL.
 * @retval CONEX_ERR_INVALID    An option is out of range: see `conex_map_options` and `conex_element`.
 * @retval CONEX_ERR_HANDLE     `options->domain` is not a live domain.
 * @retval CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free if the allocator is.
 */
CONEX_API conex_status conex_map_new(const struct conex_map_options *options, struct conex_map **out);

/**
 * Destroys a map: ends the life of all keys and values that it holds or has retired, on this thread, and gives back all
 * its memory before it returns.
 *
 * @param map  The map, which no other thread uses any more; NULL is allowed and does nothing.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_HANDLE  Not a live map (recently destroyed ones are recognised).
 *
 * Progress: waits for a thread that is just giving back memory of this map, if there is one.
 */
CONEX_API conex_status conex_map_destroy(struct conex_map *map);

/* The defaults of a conex_map_options: from 8-byte words to 8-byte words, a random seed, the default domain, the
 * allocator of the process. */
#define CONEX_MAP_OPTIONS_INIT \
    {sizeof(conex_map_options), 0, CONEX_KEY_FIXED, CONEX_ELEMENT_WORD, CONEX_ELEMENT_WORD, NULL, NULL, NULL, 0, 0, \
     NULL, CONEX_ALLOCATOR_PROCESS}

/* =========================================================================================================
 * Map: reading
 *
 * Each of these functions reads one entry.
 * ====================================================================================================== */

/**
 * Copies out the value of a key.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param value    Receives the value with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_NOT_FOUND
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
 * @retval (a negative status)  What the value's `clone` returned.
 *
 * Progress: lock-free, apart from `clone`; allocates only for values that are cloned.
 */
CONEX_API conex_status conex_map_get(const conex_map *map, const void *key, size_t key_len, void *value);

/**
 * Tells whether a key is there.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param found    Receives the answer with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `key_len` is not the size of the map's keys.
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_map_contains(const conex_map *map, const void *key, size_t key_len, bool *found);

/**
 * Gives a pointer to the value of a key, which stays readable and unchanged, also when the entry is replaced or removed,
 * until the guard is refreshed or left, or the map destroyed.
 *
 * @param map      The map.
 * @param guard    A guard of the map's domain, entered by the calling thread.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param value    Receives the pointer with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_NOT_FOUND
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys; or the guard is of another domain or thread.
 * @retval CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free. Allocates, for a copy, if values have at most 8 bytes and no callbacks.
 */
CONEX_API conex_status conex_map_get_ref(
        const conex_map *map,
        conex_guard *guard,
        const void *key,
        size_t key_len,
        const void **value);

/* =========================================================================================================
 * Map: writing
 *
 * Each of these functions is one atomic step on one key.
 * ====================================================================================================== */

/**
 * Inserts a key, if it is not there.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param value    The value; with `CONEX_OK` it is the map's, with every other status it stays the caller's.
 * @param current  Optional. Receives a copy of the present value with `CONEX_EXISTS`.
 *
 * @retval CONEX_OK
 * @retval CONEX_EXISTS
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
 * @retval CONEX_ERR_NO_MEMORY
 * @retval (a negative status)  What the `clone` of the key or of the value returned.
 *
 * Progress: lock-free if the allocator is. Allocates for keys and values that do not lie in the table, and where a bucket is
 * full.
 */
CONEX_API conex_status conex_map_insert(
        conex_map *map,
        const void *key,
        size_t key_len,
        const void *value,
        void *current);

/**
 * Inserts a key, or replaces its value.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param value    The value; with `CONEX_OK` and `CONEX_EXISTS` it is the map's, with an error it stays the caller's.
 * @param old      Optional. Receives a copy of the replaced value with `CONEX_EXISTS`.
 *
 * @retval CONEX_OK             Inserted.
 * @retval CONEX_EXISTS         Replaced.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
 * @retval CONEX_ERR_NO_MEMORY
 * @retval (a negative status)  What the `clone` of the key or of the value returned.
 *
 * Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_upsert(
        conex_map *map,
        const void *key,
        size_t key_len,
        const void *value,
        void *old);

/**
 * Replaces the value of a key, if it is there.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param value    The value; with `CONEX_OK` it is the map's, with every other status it stays the caller's.
 * @param old      Optional. Receives a copy of the replaced value with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_NOT_FOUND
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
 * @retval CONEX_ERR_NO_MEMORY
 * @retval (a negative status)  What the `clone` of the value returned.
 *
 * Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_replace(
        conex_map *map,
        const void *key,
        size_t key_len,
        const void *value,
        void *old);

/**
 * Removes a key.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param old      Optional. Receives a copy of the removed value with `CONEX_OK`. The value itself is dropped later, when
 *                 nobody can be reading it any more.
 *
 * @retval CONEX_OK
 * @retval CONEX_NOT_FOUND
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
 * @retval CONEX_ERR_NO_MEMORY  Only where more keys than a bucket holds have met in one.
 * @retval (a negative status)  What the `clone` of the value returned.
 *
 * Progress: lock-free if the allocator is.
 */
CONEX_API conex_status conex_map_remove(conex_map *map, const void *key, size_t key_len, void *old);

/**
 * Replaces the value of a key, if its bytes are those of another one.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param expected  The value to compare with.
 * @param desired   The value to put in its place; with `CONEX_OK` it is the map's.
 * @param current   Optional. Receives a copy of the present value with `CONEX_MISMATCH`.
 *
 * @retval CONEX_OK
 * @retval CONEX_MISMATCH
 * @retval CONEX_NOT_FOUND
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or values have `drop` or `clone`: what is
 *                              equal for them the bytes do not tell (use `conex_map_update`).
 * @retval CONEX_ERR_NO_MEMORY
 *
 * Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_compare_exchange(
        conex_map *map,
        const void *key,
        size_t key_len,
        const void *expected,
        const void *desired,
        void *current);

/* =========================================================================================================
 * Map: computing a value
 *
 * These functions compute the new value from the present one, in one atomic step.
 * ====================================================================================================== */

/**
 * Decides about an entry. `old` is its value, NULL if there is none; `value` is room for a new one, uninitialised.
 * Returns a `conex_decision`, for `CONEX_STORE` after having constructed `*value`; or a negative `conex_status`, which the
 * operation then returns with nothing changed. It must not unwind.
 */
typedef int32_t (*conex_update_fn)(const void *key, size_t key_len, const void *old, void *value, void *ctx);

/** What `conex_map_update` did: `CONEX_UNCHANGED`, `CONEX_INSERTED`, `CONEX_REPLACED` or `CONEX_REMOVED`. */
typedef int32_t conex_change;

/**
 * Constructs a value in `*value`, which is uninitialised. Returns 0, or a negative `conex_status`, which the operation
 * then returns with nothing changed. It must not unwind.
 */
typedef int32_t (*conex_make_fn)(void *value, void *ctx);

/** What a `conex_update_fn` decides: `CONEX_KEEP`, `CONEX_STORE` or `CONEX_REMOVE`. */
typedef int32_t conex_decision;

/** Leave the entry, or its absence, as it is. */
#define CONEX_KEEP 0

/** Insert the value that was constructed, or replace the present one by it. */
#define CONEX_STORE 1

/** Remove the entry, if there is one. */
#define CONEX_REMOVE 2

/** Nothing. */
#define CONEX_UNCHANGED 0

/** The key was not there, and is now. */
#define CONEX_INSERTED 1

/** The value was replaced. */
#define CONEX_REPLACED 2

/** The key was there, and is not any more. */
#define CONEX_REMOVED 3

/**
 * Inserts, replaces, removes or leaves an entry, as a callback decides from its present value, in one atomic step.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param update   Decides. It may be called more than once, whenever the entry was changed before the decision could be
 *                 carried out; a value that it constructed and that is not stored in the end is dropped.
 * @param ctx      Passed to `update`.
 * @param change   Optional. Receives what was done, with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or `update` returned no decision and no
 *                              status.
 * @retval CONEX_ERR_NO_MEMORY  Nothing was changed; what `update` constructed was dropped.
 * @retval (a negative status)  What `update`, or the key's `clone`, returned.
 *
 * Progress: lock-free if `update` and the allocator are; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_update(
        conex_map *map,
        const void *key,
        size_t key_len,
        conex_update_fn update,
        void *ctx,
        conex_change *change);

/**
 * Gets the value of a key, which is inserted if it is not there.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param make     Constructs the value to be inserted; called once at most, and not at all if the key is there. A value
 *                 that it constructed and that is not inserted, because another thread came first, is dropped.
 * @param ctx      Passed to `make`.
 * @param value    Optional. Receives a copy of the value that is there now, with `CONEX_OK` and `CONEX_EXISTS`.
 *
 * @retval CONEX_OK             Inserted.
 * @retval CONEX_EXISTS         It was there.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
 * @retval CONEX_ERR_NO_MEMORY
 * @retval (a negative status)  What `make`, or the `clone` of the key or of the value, returned.
 *
 * Progress: lock-free if `make` and the allocator are; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_get_or_insert(
        conex_map *map,
        const void *key,
        size_t key_len,
        conex_make_fn make,
        void *ctx,
        void *value);

/**
 * Adds to a value that is a number of 8 bytes, wrapping around; a key that is not there counts as 0 and is inserted.
 *
 * @param map      The map.
 * @param key      The key.
 * @param key_len  Its length in bytes.
 * @param delta     What to add.
 * @param previous  Optional. Receives the number before, with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or values are not 8 bytes without `drop` and
 *                              `clone`.
 * @retval CONEX_ERR_NO_MEMORY
 * @retval (a negative status)  What the key's `clone` returned.
 *
 * Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_fetch_add(
        conex_map *map,
        const void *key,
        size_t key_len,
        uint64_t delta,
        uint64_t *previous);

/* =========================================================================================================
 * Map: many keys
 *
 * A batch is many operations in one call: each key is an atomic step of its own, in the order of the array. It is faster
 * than single calls, because the memory for the next keys is fetched while one is being worked on.
 *
 * For keys of a fixed size, `keys` is an array of `n` keys; for byte strings, of `n` `conex_bytes`. Values stand one after
 * the other, and `statuses[i]` says how the operation on key `i` ended. If one ends with an error, the call ends there,
 * and this and all later keys have that error as their status; nothing was done for them.
 * ====================================================================================================== */

/** A byte string: `len` bytes at `data`, which may be NULL if `len` is 0. */
typedef struct conex_bytes {
    /** Where it begins. */
    const void *data;
    /** Its length in bytes. */
    size_t len;
} conex_bytes;

/**
 * Copies out the values of many keys.
 *
 * @param map       The map.
 * @param keys      The keys.
 * @param n         How many.
 * @param values    Room for `n` values; those with status `CONEX_OK` are written.
 * @param statuses  Room for `n` statuses: `CONEX_OK` or `CONEX_NOT_FOUND`, or the error that ended the call.
 * @param count     Optional. Receives how many statuses are `CONEX_OK`, also with an error of `clone`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    No array can have `n` elements, a string is too long, or the value type cannot be copied.
 * @retval (a negative status)  What the value's `clone` returned.
 *
 * Progress: lock-free, apart from `clone`; allocates only for values that are cloned.
 */
CONEX_API conex_status conex_map_get_n(
        const conex_map *map,
        const void *keys,
        size_t n,
        void *values,
        conex_status *statuses,
        size_t *count);

/**
 * Inserts many keys, each if it is not there.
 *
 * @param map       The map.
 * @param keys      The keys.
 * @param values    Their values; those with status `CONEX_OK` are the map's, all others stay the caller's.
 * @param n         How many.
 * @param statuses  Room for `n` statuses: `CONEX_OK` or `CONEX_EXISTS`, or the error that ended the call.
 * @param count     Optional. Receives how many statuses are `CONEX_OK`, also with an error that ended the call.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    No array can have `n` elements, or a string is too long.
 * @retval CONEX_ERR_NO_MEMORY
 * @retval (a negative status)  What the key's `clone` returned.
 *
 * Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
 */
CONEX_API conex_status conex_map_insert_n(
        conex_map *map,
        const void *keys,
        const void *values,
        size_t n,
        conex_status *statuses,
        size_t *count);

/**
 * Removes many keys.
 *
 * @param map       The map.
 * @param keys      The keys.
 * @param n         How many.
 * @param statuses  Room for `n` statuses: `CONEX_OK` or `CONEX_NOT_FOUND`, or the error that ended the call.
 * @param count     Optional. Receives how many statuses are `CONEX_OK`, also with an error that ended the call.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    No array can have `n` elements, or a string is too long.
 * @retval CONEX_ERR_NO_MEMORY  As for `conex_map_remove`.
 *
 * Progress: lock-free if the allocator is.
 */
CONEX_API conex_status conex_map_remove_n(
        conex_map *map,
        const void *keys,
        size_t n,
        conex_status *statuses,
        size_t *count);

/* =========================================================================================================
 * Map: all entries
 *
 * These functions work on all entries of a map, bucket by bucket, while others go on.
 * ====================================================================================================== */

/**
 * Called with an entry: key and value are aligned, and valid for the call. Returns 0 to go on, 1 to stop, or a negative
 * `conex_status` to stop and have it returned. It must not unwind.
 */
typedef int32_t (*conex_visit_fn)(const void *key, size_t key_len, const void *value, void *ctx);

/**
 * Whether to keep an entry. Returns 1 to keep it, 0 to remove it, or a negative `conex_status` to stop and have it
 * returned. It must not unwind.
 */
typedef conex_visit_fn conex_keep_fn;

/** What a map is made of. Initialise it with `CONEX_MAP_STATS_INIT`. */
typedef struct conex_map_stats {
    /** `sizeof(conex_map_stats)`, as the macro sets it. */
    size_t struct_size;
    /** As `conex_map_len`. */
    size_t entries;
    /** Buckets of the table; one is two cache lines, 128 bytes. */
    size_t buckets;
    /** Bytes of the tables and of all that is in them, without what waits in the domain and what elements own. */
    size_t bytes;
    /** How often the map has begun to grow. */
    uint64_t growths;
    /** How often it has begun to shrink. */
    uint64_t shrinks;
    /** 1 while entries are being moved to another table, otherwise 0. */
    uint32_t resizing;
} conex_map_stats;

/**
 * Calls a callback with every entry. An entry that is there throughout is visited once, also when the map grows or
 * shrinks meanwhile; one that comes or goes meanwhile, once or not at all.
 *
 * @param map    The map.
 * @param visit  Called with each entry. It may change the map.
 * @param ctx    Passed to `visit`.
 *
 * @retval CONEX_OK             All were visited, or `visit` returned 1.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `visit` returned a number that it must not return.
 * @retval (a negative status)  What `visit` returned.
 *
 * Progress: lock-free, apart from `visit`; does not allocate. The guard is renewed every few buckets.
 */
CONEX_API conex_status conex_map_for_each(const conex_map *map, conex_visit_fn visit, void *ctx);

/**
 * Visits some entries, and says where to go on. The cursor is all the state there is: it stays good for as long as one
 * likes, whatever happens to the map. An entry that is there from the first call to the last is visited exactly once,
 * also when the map grows or shrinks meanwhile.
 *
 * @param map     The map.
 * @param cursor  Where to begin: 0 for the beginning, otherwise what the last call wrote. Receives where to go on, 0 at
 *                the end. If `visit` stops early, it receives where the bucket begins in which it stopped; entries of
 *                this bucket are then visited again.
 * @param limit   How many entries to visit, about: at least one, if there is one, and all of the bucket in which the
 *                limit is reached.
 * @param visit   Called with each entry. It may change the map.
 * @param ctx     Passed to `visit`.
 *
 * @retval CONEX_OK             There may be more.
 * @retval CONEX_EMPTY          The end was reached; `*cursor` is 0. Entries may have been visited before.
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `visit` returned a number that it must not return.
 * @retval (a negative status)  What `visit` returned.
 *
 * Progress: lock-free, apart from `visit`; does not allocate.
 */
CONEX_API conex_status conex_map_scan(
        const conex_map *map,
        uint64_t *cursor,
        size_t limit,
        conex_visit_fn visit,
        void *ctx);

/**
 * Removes the entries that a callback does not want to keep.
 *
 * @param map      The map.
 * @param keep     Called with each entry. An entry is removed only if its value is still the one that `keep` saw;
 *                 otherwise `keep` is called again with the new one.
 * @param ctx      Passed to `keep`.
 * @param removed  Optional. Receives how many entries were removed, also with an error that ended the call early.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID    `keep` returned a number that it must not return.
 * @retval CONEX_ERR_NO_MEMORY  As for `conex_map_remove`.
 * @retval (a negative status)  What `keep` returned.
 *
 * Progress: lock-free, apart from `keep`, if the allocator is.
 */
CONEX_API conex_status conex_map_retain(conex_map *map, conex_keep_fn keep, void *ctx, size_t *removed);

/**
 * Removes every entry, bucket by bucket: what other threads insert meanwhile may stay. The table is given back.
 *
 * @param map  The map.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  Memory was needed to finish a resize that is under way; some entries may be left.
 *
 * Progress: lock-free if the allocator is.
 */
CONEX_API conex_status conex_map_clear(conex_map *map);

/**
 * Makes room for a number of entries, so that inserts up to that number do not grow the map.
 *
 * @param map      The map.
 * @param entries  How many entries in all, those that are there included.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  The map goes on with the room it has.
 *
 * Progress: lock-free if the allocator is. Other threads may use the map meanwhile.
 */
CONEX_API conex_status conex_map_reserve(conex_map *map, size_t entries);

/**
 * Brings the table down to what the entries need. A map also shrinks by itself, later, when entries are removed.
 *
 * @param map  The map.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_NO_MEMORY  The map goes on with the table it has.
 *
 * Progress: lock-free if the allocator is. Other threads may use the map meanwhile.
 */
CONEX_API conex_status conex_map_shrink(conex_map *map);

/**
 * Tells how many entries the map has: exactly if no operation is under way, otherwise about.
 *
 * @param map  The map.
 * @param len  Receives the number with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_map_len(const conex_map *map, size_t *len);

/**
 * Tells whether `conex_map_len` is 0.
 *
 * @param map    The map.
 * @param empty  Receives the answer with `CONEX_OK`.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 *
 * Progress: wait-free; does not allocate.
 */
CONEX_API conex_status conex_map_is_empty(const conex_map *map, bool *empty);

/**
 * Tells what a map is made of.
 *
 * @param map    The map.
 * @param stats  Receives the numbers with `CONEX_OK`; its `struct_size` must be set.
 *
 * @retval CONEX_OK
 * @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
 * @retval CONEX_ERR_INVALID  `stats->struct_size` is too small, or absurd.
 *
 * Progress: lock-free; does not allocate.
 */
CONEX_API conex_status conex_map_stats_get(const conex_map *map, struct conex_map_stats *stats);

/* An empty conex_map_stats. */
#define CONEX_MAP_STATS_INIT {sizeof(conex_map_stats), 0, 0, 0, 0, 0, 0}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* CONEX_CONEX_H */
