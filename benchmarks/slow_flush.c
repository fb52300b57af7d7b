/*
 * A disk whose flushes take longer: each fsync and fdatasync sleeps first.
 *
 *     cc -shared -fPIC -o slow_flush.so slow_flush.c -ldl
 *     SLOW_FLUSH_US=1300 LD_PRELOAD=./slow_flush.so python -m benchmarks --only steps
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int slowly(const char *name, int file) {
  int (*flush)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *asked = getenv("SLOW_FLUSH_US");
  long us = asked ? strtol(asked, NULL, 10) : 0;
  struct timespec nap = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&nap, NULL);
  return flush(file);
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
