/* A mining algorithm in C: four words, mixed by xor, multiplication and rotation. Fine as an example, not for mining.
 * cc -O2 -shared -fPIC -I plugin-sdk/include -o mixer.so plugin-sdk/examples/c/mixer.c */
#include "dagpool_plugin.h"
#include <stdio.h>
#include <string.h>

static uint64_t rotate(uint64_t word, int bits) { return word << bits | word >> (64 - bits); }

static void absorb(uint64_t words[4], uint8_t byte) {
    words[0] = rotate((words[0] ^ byte) * 0x9e3779b97f4a7c15u, 29);
    words[1] = rotate((words[1] ^ words[0]) * 0xbf58476d1ce4e5b9u, 31);
    words[2] = rotate((words[2] ^ words[1]) * 0x94d049bb133111ebu, 37);
    words[3] = rotate((words[3] ^ words[2]) * 0xd6e8feb86659fd93u, 41);
    words[0] += words[3];
}

static void mix(const uint8_t *input, uint32_t length, uint8_t *hash) {
    uint64_t words[4] = {0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u, 0x082efa98ec4e6c89u};
    words[0] ^= length;
    for (uint32_t i = 0; i < length; i++) absorb(words, input[i]);
    for (int i = 0; i < 32; i++) absorb(words, 0);
    for (int i = 0; i < 32; i++) hash[i] = (uint8_t)(words[i / 8] >> (i % 8 * 8));
}

/* It has no state, but the context must not be NULL. */
static char none;
static void *create(void) { return &none; }
static void destroy(void *context) { (void)context; }

static int32_t info(const void *context, uint8_t *out, uint32_t capacity) {
    static const char text[] = "{\"name\":\"c-mixer\",\"version\":\"1.0.0\",\"hash_function\":\"mixer\","
        "\"difficulty_one\":\"00000000ffff0000000000000000000000000000000000000000000000000000\"}";
    (void)context;
    if (capacity < sizeof text - 1) return DAGPOOL_TOO_LONG;
    memcpy(out, text, sizeof text - 1);
    return sizeof text - 1;
}

static int32_t hash(const void *context, const uint8_t *input, uint32_t length, uint8_t *out, uint8_t *error,
                    uint32_t error_capacity) {
    (void)context, (void)error, (void)error_capacity;
    mix(input, length, out);
    return 0;
}

static int32_t hash_batch(const void *context, const uint8_t *headers, uint32_t count, uint8_t *hashes, uint8_t *error,
                          uint32_t error_capacity) {
    (void)context, (void)error, (void)error_capacity;
    for (uint32_t i = 0; i < count; i++) mix(headers + i * DAGPOOL_HEADER_SIZE, DAGPOOL_HEADER_SIZE, hashes + i * 32);
    return (int32_t)count;
}

/* Only the health is its own: capability 16, method 1. */
static int32_t call(const void *context, uint32_t capability, uint32_t method, const uint8_t *request,
                    uint32_t request_length, uint8_t *response, uint32_t response_capacity) {
    (void)context, (void)request, (void)request_length;
    if (capability != DAGPOOL_HEALTH || method != 1) return DAGPOOL_UNSUPPORTED;
    int length = snprintf((char *)response, response_capacity, "{\"status\":\"degraded\",\"reason\":\"only an example\"}");
    return length < (int)response_capacity ? length : DAGPOOL_TOO_LONG;
}

#ifndef MIXER_MAJOR
#define MIXER_MAJOR DAGPOOL_MAJOR
#endif

const struct dagpool_table dagpool_plugin = {
    .magic = DAGPOOL_MAGIC,
    .major = MIXER_MAJOR,
    .minor = DAGPOOL_MINOR,
    .size = sizeof(struct dagpool_table),
    .capabilities = DAGPOOL_HEALTH,
    .create = create,
    .destroy = destroy,
    .info = info,
#ifndef MIXER_WITHOUT_HASH
    .hash = hash,
#endif
    .hash_batch = hash_batch,
    .call = call,
};
