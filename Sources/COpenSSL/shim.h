#pragma once
// The low-level digests are wanted: their contexts are plain values, need no allocation and no provider fetch.
#define OPENSSL_SUPPRESS_DEPRECATED 1
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/md5.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

// Whether an error says that there was no memory: a macro that is not imported.
static inline int coffer_is_memory_failure(unsigned long code) { return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE; }
