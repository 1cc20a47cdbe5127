/// A file system for SQLite that writes a transaction to the write-ahead log in one piece.
#pragma once

/// Makes SQLite open files through this layer from now on, which is the platform's own but for logs. Thread-safe; more than
/// once does no harm. Returns 0 or SQLite's code; after a failure everything goes on without the layer.
int coffer_wal_buffer_install(void);
