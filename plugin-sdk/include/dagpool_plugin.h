/* The plugin interface of BlockDAG Pool, version 1.0, for algorithms written without Rust.
 * A library exports one constant: const struct dagpool_table dagpool_plugin = { ... };
 * plugin-sdk/docs/abi.md explains every function and the JSON texts; plugin-sdk/examples/c has a whole algorithm. */
#ifndef DAGPOOL_PLUGIN_H
#define DAGPOOL_PLUGIN_H

#include <stdint.h>

#define DAGPOOL_MAGIC { 'D', 'A', 'G', 'P', 'O', 'O', 'L', 0 }
#define DAGPOOL_MAJOR 1
#define DAGPOOL_MINOR 0

#define DAGPOOL_HEADER_SIZE 80
#define DAGPOOL_HASH_SIZE 32

/* Bits of `capabilities`: what `call` answers. Without any, all is as is standard. */
#define DAGPOOL_DIFFICULTY 1u
#define DAGPOOL_BENCHMARK 2u
#define DAGPOOL_COMPATIBILITY 4u
#define DAGPOOL_MIGRATION 8u
#define DAGPOOL_HEALTH 16u

/* What a function returns instead of a count or a length. */
#define DAGPOOL_UNSUPPORTED (-1) /* no such capability or method */
#define DAGPOOL_FAILED (-2)      /* the error is there as JSON */
#define DAGPOOL_TOO_LONG (-3)    /* the answer does not fit */
#define DAGPOOL_PANICKED (-4)    /* the code broke and contained it */

struct dagpool_table {
    uint8_t magic[8];
    uint16_t major;
    uint16_t minor;
    uint32_t size; /* sizeof(struct dagpool_table) */
    uint32_t capabilities;
    uint32_t reserved; /* 0 */
    /* Makes the algorithm, a pointer that all other functions get; NULL if it cannot. */
    void *(*create)(void);
    void (*destroy)(void *context);
    /* Writes the description as JSON, without a zero byte; returns its length. */
    int32_t (*info)(const void *context, uint8_t *out, uint32_t capacity);
    /* Hashes one input of any length; returns 0. On failure writes JSON and a zero byte to `error`. */
    int32_t (*hash)(const void *context, const uint8_t *input, uint32_t length, uint8_t *hash, uint8_t *error,
                    uint32_t error_capacity);
    /* Hashes `count` headers of 80 bytes, one after the other, into hashes of 32 bytes; returns how many. Fewer than
     * `count` means that the next one failed, with the reason in `error`. */
    int32_t (*hash_batch)(const void *context, const uint8_t *headers, uint32_t count, uint8_t *hashes, uint8_t *error,
                          uint32_t error_capacity);
    /* Answers a request for a capability; returns the answer's length. */
    int32_t (*call)(const void *context, uint32_t capability, uint32_t method, const uint8_t *request,
                    uint32_t request_length, uint8_t *response, uint32_t response_capacity);
};

#endif
