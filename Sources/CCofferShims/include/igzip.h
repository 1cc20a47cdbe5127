/// ISA-L's igzip, found at run time. The library is optional: no header and no link dependency at build time.
///
/// The structures declared in igzip.c follow the public ABI of ISA-L 2.30 (soname libisal.so.2).
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct coffer_igzip_deflater coffer_igzip_deflater;
typedef struct coffer_igzip_inflater coffer_igzip_inflater;

/// Loads libisal and checks it with a round trip. Returns 1 when it can be used, 0 when not; thread-safe, loads once.
int coffer_igzip_available(void);

/// Why igzip is or is not used, one line for people. Valid for the life of the process.
const char *coffer_igzip_status(void);

/// A level-1 encoder whose context is reused for every fragment. NULL when igzip is not available or memory is short.
coffer_igzip_deflater *coffer_igzip_deflater_create(void);
void coffer_igzip_deflater_destroy(coffer_igzip_deflater *deflater);

/// Raw deflate ended by a full flush when `final` is 0, or by a final block when it is 1.
/// Returns the bytes written, -1 when the output does not fit, -2 when the library fails.
int64_t coffer_igzip_compress(
    coffer_igzip_deflater *deflater, const void *input, size_t input_count, void *output, size_t output_count, int final);

coffer_igzip_inflater *coffer_igzip_inflater_create(void);
void coffer_igzip_inflater_destroy(coffer_igzip_inflater *inflater);

/// Decodes one raw deflate fragment. Returns the bytes written, -1 when there is more output than room,
/// -2 when the input is malformed or was not consumed to its end.
int64_t coffer_igzip_inflate(
    coffer_igzip_inflater *inflater, const void *input, size_t input_count, void *output, size_t output_count);

/// CRC-32 (IEEE, as in ZIP) continued from `crc`. Only call when `coffer_igzip_available()`.
uint32_t coffer_igzip_crc32(uint32_t crc, const void *bytes, size_t count);
