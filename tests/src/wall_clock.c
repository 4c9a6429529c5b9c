// Preloaded into a pool under test (wall_clock.rs): the wall clock is off by as many milliseconds as the file says that
// DAGPOOL_TEST_CLOCK names. Nothing else changes: monotonic clocks, timers and the kernel know nothing of it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_ms;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DAGPOOL_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *seen = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, file, 0);
    if (seen == MAP_FAILED) abort();
    offset_ms = seen;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, clock, at);
    if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && offset_ms) {
        int64_t moved = *offset_ms;
        at->tv_sec += moved / 1000;
        at->tv_nsec += moved % 1000 * 1000000;
        if (at->tv_nsec < 0) at->tv_sec--, at->tv_nsec += 1000000000;
        if (at->tv_nsec >= 1000000000) at->tv_sec++, at->tv_nsec -= 1000000000;
    }
    return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (failed == 0) at->tv_sec = now.tv_sec, at->tv_usec = now.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
