// Run-time binding to ISA-L's igzip. Layouts: ISA-L 2.30, include/igzip_lib.h. Only the public head of each structure is
// declared; the private rest lives in a reserve larger than any 2.x release needs, and a round trip at load time refuses
// a library that disagrees.
#include "include/igzip.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct isal_zstream {
    const uint8_t *next_in;
    uint32_t avail_in, total_in;
    uint8_t *next_out;
    uint32_t avail_out, total_out;
    void *hufftables;
    uint32_t level, level_buf_size;
    uint8_t *level_buf;
    uint16_t end_of_stream, flush, gzip_flag, hist_bits;
    uint8_t internal_state[];  // 82,320 bytes in 2.30
};

struct isal_inflate_head {
    uint8_t *next_out;
    uint32_t avail_out, total_out;
    const uint8_t *next_in;
    uint64_t read_in;
    uint32_t avail_in;
    int32_t read_in_length;
    uint8_t internal_state[];  // 87,328 bytes in 2.30
};

enum { reserve_bytes = 192 * 1024, level_1_buffer_bytes = 282624, flush_none = 0, flush_full = 2 };
_Static_assert(offsetof(struct isal_zstream, internal_state) == 64, "public head of isal_zstream");
_Static_assert(offsetof(struct isal_inflate_head, internal_state) == 40, "public head of inflate_state");

struct coffer_igzip_deflater {
    struct isal_zstream *stream;
    uint8_t *level_buffer;
    int is_mapped;
};
struct coffer_igzip_inflater {
    struct isal_inflate_head *state;
};

static struct {
    void (*deflate_init)(struct isal_zstream *);
    void (*deflate_reset)(struct isal_zstream *);
    int (*deflate)(struct isal_zstream *);
    void (*inflate_init)(struct isal_inflate_head *);
    void (*inflate_reset)(struct isal_inflate_head *);
    int (*inflate)(struct isal_inflate_head *);
    uint32_t (*crc32_gzip_refl)(uint32_t, const unsigned char *, uint64_t);
    int available;
    const char *status;
} igzip;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/// CRC-32C of a word, as the processor's instruction gives it from zero.
static uint32_t crc32c(uint32_t word) {
    for (int bit = 0; bit < 32; bit++) word = word & 1 ? (word >> 1) ^ 0x82F63B78u : word >> 1;
    return word;
}

/// Zeroed memory for a stream, at a place that does not show in what it writes; NULL when there is none.
///
/// ISA-L 2.30 hashes the third position of its input wrongly: it takes bits 16 to 47 of the stream's address for the bytes
/// there (igzip_icf_body_h1_gr_bt.asm, `write_first_byte`, where the register still holds the argument). What it writes is
/// right, but about one stream in five hundred writes something else for the same short input. At most 13 bits of the hash
/// count, so places are chosen at which these are the same.
static struct isal_zstream *map_stream(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t next = 0x100000000000;
    enum { granule = 1 << 16, hash_mask = 0x1FFF, hash = 0x1234, attempts = 64 };
    void *place = MAP_FAILED;
    pthread_mutex_lock(&lock);
    for (int attempt = 0; place == MAP_FAILED && attempt < attempts; attempt++) {
        while ((crc32c((uint32_t)(next / granule)) & hash_mask) != hash) next += granule;
        void *wanted = (void *)(uintptr_t)next;
        // A hint, not a demand: older kernels know no other way of asking for a place without taking another's.
        place = mmap(wanted, reserve_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (place != MAP_FAILED && place != wanted) {
            munmap(place, reserve_bytes);
            place = MAP_FAILED;
        }
        next += granule;
        // Places are not used again for a long time; 64 TiB of addresses hold more than a hundred thousand.
        if (next > 0x500000000000) next = 0x100000000000;
    }
    pthread_mutex_unlock(&lock);
    return place == MAP_FAILED ? NULL : place;
}

static coffer_igzip_deflater *make_deflater(void) {
    coffer_igzip_deflater *deflater = calloc(1, sizeof *deflater);
    if (!deflater) return NULL;
    deflater->stream = map_stream();
    deflater->is_mapped = deflater->stream != NULL;
    if (!deflater->stream) deflater->stream = calloc(1, reserve_bytes);
    deflater->level_buffer = malloc(level_1_buffer_bytes);
    if (!deflater->stream || !deflater->level_buffer) {
        coffer_igzip_deflater_destroy(deflater);
        return NULL;
    }
    igzip.deflate_init(deflater->stream);
    deflater->stream->level = 1;
    deflater->stream->level_buf = deflater->level_buffer;
    deflater->stream->level_buf_size = level_1_buffer_bytes;
    return deflater;
}

static coffer_igzip_inflater *make_inflater(void) {
    coffer_igzip_inflater *inflater = calloc(1, sizeof *inflater);
    if (!inflater) return NULL;
    inflater->state = calloc(1, reserve_bytes);
    if (!inflater->state) {
        free(inflater);
        return NULL;
    }
    igzip.inflate_init(inflater->state);
    return inflater;
}

/// Compresses and restores a patterned block twice through one context; a library with another layout fails here.
static int round_trips(void) {
    enum { count = 20000 };
    uint8_t *bytes = malloc(3 * count);
    coffer_igzip_deflater *deflater = make_deflater();
    coffer_igzip_inflater *inflater = make_inflater();
    int good = bytes && deflater && inflater;
    for (int round = 0; good && round < 2; round++) {
        uint8_t *packed = bytes + count, *restored = bytes + 2 * count;
        for (int i = 0; i < count; i++) bytes[i] = (uint8_t)((i * 7 + round) % 251 ^ (i >> 9));
        int64_t n = coffer_igzip_compress(deflater, bytes, count, packed, count, 0);
        good = n > 5 && memcmp(packed + n - 4, "\0\0\xff\xff", 4) == 0
            && coffer_igzip_inflate(inflater, packed, (size_t)n, restored, count) == count
            && memcmp(bytes, restored, count) == 0;
    }
    good = good && igzip.crc32_gzip_refl(0, (const unsigned char *)"123456789", 9) == 0xCBF43926u;
    if (deflater) coffer_igzip_deflater_destroy(deflater);
    if (inflater) coffer_igzip_inflater_destroy(inflater);
    free(bytes);
    return good;
}

static void load(void) {
    void *library = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        igzip.status = "not found (install libisal2 for faster compression)";
        return;
    }
    // ISO C has no cast from object to function pointers; POSIX defines this assignment.
    *(void **)&igzip.deflate_init = dlsym(library, "isal_deflate_init");
    *(void **)&igzip.deflate_reset = dlsym(library, "isal_deflate_reset");
    *(void **)&igzip.deflate = dlsym(library, "isal_deflate");
    *(void **)&igzip.inflate_init = dlsym(library, "isal_inflate_init");
    *(void **)&igzip.inflate_reset = dlsym(library, "isal_inflate_reset");
    *(void **)&igzip.inflate = dlsym(library, "isal_inflate");
    *(void **)&igzip.crc32_gzip_refl = dlsym(library, "crc32_gzip_refl");
    if (!igzip.deflate_init || !igzip.deflate_reset || !igzip.deflate || !igzip.inflate_init || !igzip.inflate_reset
        || !igzip.inflate || !igzip.crc32_gzip_refl) {
        igzip.status = "libisal.so.2 lacks functions of ISA-L 2.30; not used";
    } else if (!round_trips()) {
        igzip.status = "libisal.so.2 failed its round trip; not used";
    } else {
        igzip.available = 1;
        igzip.status = "libisal.so.2, level 1, round trip checked";
    }
}

int coffer_igzip_available(void) {
    pthread_once(&once, load);
    return igzip.available;
}

const char *coffer_igzip_status(void) {
    pthread_once(&once, load);
    return igzip.status;
}

coffer_igzip_deflater *coffer_igzip_deflater_create(void) { return coffer_igzip_available() ? make_deflater() : NULL; }

void coffer_igzip_deflater_destroy(coffer_igzip_deflater *deflater) {
    if (deflater->is_mapped) {
        munmap(deflater->stream, reserve_bytes);
    } else {
        free(deflater->stream);
    }
    free(deflater->level_buffer);
    free(deflater);
}

int64_t coffer_igzip_compress(
    coffer_igzip_deflater *deflater, const void *input, size_t input_count, void *output, size_t output_count, int final) {
    struct isal_zstream *stream = deflater->stream;
    if (input_count > UINT32_MAX || output_count > UINT32_MAX) return -2;
    igzip.deflate_reset(stream);
    stream->next_in = input;
    stream->avail_in = (uint32_t)input_count;
    stream->next_out = output;
    stream->avail_out = (uint32_t)output_count;
    stream->flush = final ? flush_none : flush_full;
    stream->end_of_stream = final ? 1 : 0;
    if (igzip.deflate(stream) != 0) return -2;
    // Room left over is the only proof that nothing is held back inside.
    if (stream->avail_in != 0 || stream->avail_out == 0) return -1;
    return (int64_t)stream->total_out;
}

coffer_igzip_inflater *coffer_igzip_inflater_create(void) { return coffer_igzip_available() ? make_inflater() : NULL; }

void coffer_igzip_inflater_destroy(coffer_igzip_inflater *inflater) {
    free(inflater->state);
    free(inflater);
}

int64_t coffer_igzip_inflate(
    coffer_igzip_inflater *inflater, const void *input, size_t input_count, void *output, size_t output_count) {
    struct isal_inflate_head *state = inflater->state;
    if (input_count > UINT32_MAX || output_count > UINT32_MAX) return -2;
    igzip.inflate_reset(state);
    state->next_in = input;
    state->avail_in = (uint32_t)input_count;
    state->next_out = output;
    state->avail_out = (uint32_t)output_count;
    int result = igzip.inflate(state);
    if (state->avail_out == 0 && result >= 0) {
        // Output may wait inside when the room is used up: one more byte must not come.
        uint8_t spare;
        state->next_out = &spare;
        state->avail_out = 1;
        result = igzip.inflate(state);
        if (state->avail_out == 0) return -1;
    }
    if (result < 0 || state->avail_in != 0) return -2;
    return (int64_t)state->total_out;
}

uint32_t coffer_igzip_crc32(uint32_t crc, const void *bytes, size_t count) {
    return igzip.crc32_gzip_refl(crc, bytes, count);
}
