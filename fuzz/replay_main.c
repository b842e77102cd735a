/* Runs every file of the given corpus folders (and single files) through one fuzz target, so that what a
 * fuzzer once found is tried by the ordinary tests of every compiler and sanitizer.
 *
 * Linked with a target's LLVMFuzzerTestOneInput in place of libFuzzer. A finding is a crash, as there. Also
 * tries every prefix of short inputs, since parsers fail at ends. An empty or missing folder is an error: a
 * test without inputs proves nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20, PREFIX_MAX = 512 };

/* On the heap at its exact size, so that the sanitizer sees a read past the end. */
static void run_exact(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), -1;
    uint8_t *bytes = malloc(INPUT_MAX);
    if (!bytes) abort();
    size_t size = fread(bytes, 1, INPUT_MAX, f);
    fclose(f);
    run_exact(bytes, size);
    for (size_t n = 0; n < size && n < PREFIX_MAX; n++)
        run_exact(bytes, n);
    free(bytes);
    return 1;
}

/* Returns how many files were run, or -1. */
static int run_path(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return perror(path), -1;
    if (!S_ISDIR(st.st_mode)) return run_file(path);
    DIR *dir = opendir(path);
    if (!dir) return perror(path), -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char inner[4096];
        if (entry->d_name[0] == '.') continue;
        int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        int ran = n < (int)sizeof inner ? run_path(inner) : -1;
        if (ran < 0) {
            closedir(dir);
            return -1;
        }
        count += ran;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int ran = run_path(argv[i]);
        if (ran < 0) return 1;
        total += ran;
    }
    printf("%d inputs replayed\n", total);
    return total ? 0 : 1;
}
