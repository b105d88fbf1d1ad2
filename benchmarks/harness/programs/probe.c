/* A job that knows when it began and when it ended.
 *
 * usage: probe FILE
 *
 * Its first act is to read the wall clock; its last, before it leaves, is to append both readings
 * to FILE as "FIRST LAST\n" in nanoseconds since the epoch. Linked statically, so that hardly
 * anything runs before main.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (long long)t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    long long first = now();
    if (argc != 2)
        return 2;
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0)
        return 3;
    char line[64];
    int length = snprintf(line, sizeof line, "%lld %lld\n", first, now());
    if (write(fd, line, (size_t)length) != length)
        return 4;
    _exit(0);
}
