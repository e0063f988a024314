/* A disk whose flushes take a second: preloaded in front of a program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_a_second(void) {
    struct timespec left = {1, 0};
    while (nanosleep(&left, &left) != 0) {
    }
}

int fsync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_a_second();
    return real(file);
}

int fdatasync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_a_second();
    return real(file);
}
