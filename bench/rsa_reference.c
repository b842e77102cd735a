/* What one RSA-2048 signature (SHA-256, PKCS #1 v1.5) costs here: the reference that signed mail is measured
 * against. Signs a digest again and again through OpenSSL's EVP with key and context kept, and prints the CPU
 * of one in microseconds: the median of nine rounds. */
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9, SIGNATURES = 300 };

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void need(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "rsa-reference: %s failed\n", what);
    exit(1);
}

int main(void) {
    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    need(context && EVP_PKEY_sign_init(context) == 1, "making a key");
    need(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1,
         "setting up");
    double rounds[ROUNDS];
    unsigned char digest[32] = {1}, signature[256];
    for (int r = 0; r < ROUNDS; r++) {
        double start = cpu_us();
        for (int i = 0; i < SIGNATURES; i++) {
            size_t n = sizeof signature;
            digest[i % 32]++;
            need(EVP_PKEY_sign(context, signature, &n, digest, sizeof digest) == 1, "signing");
        }
        rounds[r] = (cpu_us() - start) / SIGNATURES;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], by_value);
    printf("%.2f\n", rounds[ROUNDS / 2]);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    return 0;
}
