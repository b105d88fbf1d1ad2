/* The physical limit: WIDTH processes, each starting its share of N programs one after another
 * with vfork and execv, and doing nothing else.
 *
 * usage: limit WIDTH N PROGRAM
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_share(long share, char *program)
{
    char *argv[] = {program, NULL};
    for (long i = 0; i < share; i++) {
        int status;
        pid_t child = vfork();
        if (child == 0) {
            execv(program, argv);
            _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: limit WIDTH N PROGRAM\n");
        return 2;
    }
    long width = atol(argv[1]), count = atol(argv[2]), failed = 0;
    for (long w = 0; w < width; w++) {
        long share = count / width + (w < count % width);
        pid_t worker = fork();
        if (worker == 0)
            _exit(run_share(share, argv[3]));
    }
    for (long w = 0; w < width; w++) {
        int status;
        if (wait(&status) < 0 || status != 0)
            failed = 1;
    }
    return (int)failed;
}
