/// SQLite appends each page of a transaction to its write-ahead log with two system calls, one for the header of the frame
/// and one for the page. A commit of twenty pages makes forty, which takes as long as half a flush of a fast disk.
///
/// This layer keeps what is appended and writes it in one piece when the last page of a transaction arrives, so it is in
/// the file before SQLite flushes it or tells other connections of it. Anything that looks at the file before (reading,
/// flushing, asking for its size) has the rest written first. What is not an append is written at once, in order.
///
/// Each connection has a log file of its own here and is used by one thread at a time, as SQLite requires of its files.
#include "CofferWalBuffer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

/// A transaction of more bytes is written in pieces of this size. SQLite's unix files take less than 128 KiB at once.
enum { BUFFER_BYTES = 112 << 10 };
/// A frame's header has this length; its second word is not zero on the last frame of a transaction.
enum { FRAME_HEADER_BYTES = 24 };

typedef struct {
    sqlite3_file base;
    /// The platform's file, which follows in the same memory.
    sqlite3_file *real;
    unsigned char *buffer;
    int count;
    /// Where the buffered bytes belong.
    sqlite3_int64 start;
    /// Where the last write ended.
    sqlite3_int64 end;
    /// Whether the page that comes next completes a transaction.
    int completes;
} wal_file;

static sqlite3_vfs *platform;
static sqlite3_vfs layer;

static int flush(wal_file *file) {
    if (file->count == 0) return SQLITE_OK;
    int written = file->real->pMethods->xWrite(file->real, file->buffer, file->count, file->start);
    // What could not be written stays: were it dropped after a failed read had it written, a transaction that goes on
    // all the same would have a hole in the log. One that is undone begins again at the same place, over it.
    if (written == SQLITE_OK) file->count = 0;
    return written;
}

static int wal_close(sqlite3_file *handle) {
    wal_file *file = (wal_file *)handle;
    int flushed = flush(file);
    sqlite3_free(file->buffer);
    file->buffer = NULL;
    int closed = file->real->pMethods->xClose(file->real);
    return flushed == SQLITE_OK ? closed : flushed;
}

static int wal_read(sqlite3_file *handle, void *bytes, int count, sqlite3_int64 offset) {
    wal_file *file = (wal_file *)handle;
    int flushed = flush(file);
    if (flushed != SQLITE_OK) return flushed;
    return file->real->pMethods->xRead(file->real, bytes, count, offset);
}

static int wal_write(sqlite3_file *handle, const void *bytes, int count, sqlite3_int64 offset) {
    wal_file *file = (wal_file *)handle;
    int appends = offset == file->end;
    int completes = file->completes;
    const unsigned char *header = bytes;
    file->completes = count == FRAME_HEADER_BYTES && (header[4] | header[5] | header[6] | header[7]) != 0;
    file->end = offset + count;
    if (!file->buffer) file->buffer = sqlite3_malloc(BUFFER_BYTES);
    if (!appends || !file->buffer || count > BUFFER_BYTES - file->count) {
        int flushed = flush(file);
        if (flushed != SQLITE_OK) return flushed;
    }
    if (!appends || !file->buffer || count > BUFFER_BYTES)
        return file->real->pMethods->xWrite(file->real, bytes, count, offset);
    if (file->count == 0) file->start = offset;
    memcpy(file->buffer + file->count, bytes, (size_t)count);
    file->count += count;
    return completes ? flush(file) : SQLITE_OK;
}

static int wal_truncate(sqlite3_file *handle, sqlite3_int64 size) {
    wal_file *file = (wal_file *)handle;
    int flushed = flush(file);
    if (flushed != SQLITE_OK) return flushed;
    return file->real->pMethods->xTruncate(file->real, size);
}

static int wal_sync(sqlite3_file *handle, int flags) {
    wal_file *file = (wal_file *)handle;
    int flushed = flush(file);
    if (flushed != SQLITE_OK) return flushed;
    return file->real->pMethods->xSync(file->real, flags);
}

static int wal_file_size(sqlite3_file *handle, sqlite3_int64 *size) {
    wal_file *file = (wal_file *)handle;
    int flushed = flush(file);
    if (flushed != SQLITE_OK) return flushed;
    return file->real->pMethods->xFileSize(file->real, size);
}

static int wal_lock(sqlite3_file *handle, int kind) {
    sqlite3_file *real = ((wal_file *)handle)->real;
    return real->pMethods->xLock(real, kind);
}

static int wal_unlock(sqlite3_file *handle, int kind) {
    sqlite3_file *real = ((wal_file *)handle)->real;
    return real->pMethods->xUnlock(real, kind);
}

static int wal_check_reserved_lock(sqlite3_file *handle, int *held) {
    sqlite3_file *real = ((wal_file *)handle)->real;
    return real->pMethods->xCheckReservedLock(real, held);
}

static int wal_file_control(sqlite3_file *handle, int operation, void *argument) {
    sqlite3_file *real = ((wal_file *)handle)->real;
    return real->pMethods->xFileControl(real, operation, argument);
}

static int wal_sector_size(sqlite3_file *handle) {
    sqlite3_file *real = ((wal_file *)handle)->real;
    return real->pMethods->xSectorSize(real);
}

static int wal_device_characteristics(sqlite3_file *handle) {
    sqlite3_file *real = ((wal_file *)handle)->real;
    return real->pMethods->xDeviceCharacteristics(real);
}

static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_file_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_reserved_lock,
    .xFileControl = wal_file_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_device_characteristics,
};

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags, int *flags_out) {
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL)) return platform->xOpen(platform, name, handle, flags, flags_out);
    wal_file *file = (wal_file *)handle;
    memset(file, 0, sizeof *file);
    file->real = (sqlite3_file *)(file + 1);
    memset(file->real, 0, (size_t)platform->szOsFile);
    int opened = platform->xOpen(platform, name, file->real, flags, flags_out);
    // SQLite closes what has methods, even after a failure.
    if (file->real->pMethods) file->base.pMethods = &wal_methods;
    return opened;
}

static int result = SQLITE_ERROR;

static void install(void) {
    platform = sqlite3_vfs_find(NULL);
    if (!platform) return;
    layer = *platform;
    layer.zName = "coffer";
    layer.pNext = NULL;
    layer.szOsFile = (int)sizeof(wal_file) + platform->szOsFile;
    layer.xOpen = layer_open;
    result = sqlite3_vfs_register(&layer, 1);
}

int coffer_wal_buffer_install(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    return result;
}
