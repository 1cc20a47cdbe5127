import Archives

/// What a comparison of two contents found.
struct ContentComparison: Sendable {
    var classes: Set<ChangeClass>
    var content: ContentChange?
    var notices: [String]
}

/// Compares two contents in memory: opens archives, tells noise from substance, falls back to bytes.
struct ContentComparer: Sendable {
    /// What surrounds a file, for differences that follow from others.
    struct Context: Sendable {
        /// Paths in the same tree that differ.
        var changedPaths: Set<[UInt8]> = []
    }

    let options: DiffOptions
    /// When to stop looking into files.
    let deadline: ContinuousClock.Instant?

    /// Compares two contents that are known to differ.
    func compare(
        old: [UInt8], new: [UInt8], path: [UInt8], context: Context, depth: Int = 0
    ) -> ContentComparison {
        if let deadline, options.now() >= deadline {
            return ContentComparison(
                classes: [.content], content: .omitted(reason: "the time limit was reached"), notices: [])
        }
        // A patch is about bytes: what is inside archives cannot be patched.
        if options.detail != .patch, depth < options.archiveDepth {
            do {
                if let opened = try compareGzip(old, new, path, context, depth) { return opened }
                if let opened = try compareArchive(old, new, depth) { return opened }
            } catch {
                var comparison = compareBytes(old, new, path, context)
                comparison.notices.append("compared as bytes only, because \(error)")
                return comparison
            }
        }
        return compareBytes(old, new, path, context)
    }

    // MARK: Containers

    private var limits: ArchiveLimits {
        ArchiveLimits(memberBytes: Int64(options.expandedBytes), totalBytes: Int64(options.expandedBytes))
    }

    private func compareArchive(_ old: [UInt8], _ new: [UInt8], _ depth: Int) throws -> ContentComparison? {
        guard let oldListing = try ArchiveListing(old, limits: limits),
            let newListing = try ArchiveListing(new, limits: limits), oldListing.format == newListing.format
        else { return nil }
        var comparer = ArchiveComparer(old: oldListing, new: newListing, contents: self, depth: depth + 1)
        return try comparer.run()
    }

    private func compareGzip(
        _ old: [UInt8], _ new: [UInt8], _ path: [UInt8], _ context: Context, _ depth: Int
    ) throws -> ContentComparison? {
        let magic: [UInt8] = [0x1F, 0x8B, 0x08]
        guard old.starts(with: magic), new.starts(with: magic) else { return nil }
        let oldHeader = try GzipHeader(parsing: old)
        let newHeader = try GzipHeader(parsing: new)
        let sameHeader = old[..<oldHeader.byteCount].elementsEqual(new[..<newHeader.byteCount])
        if old[oldHeader.byteCount...].elementsEqual(new[newHeader.byteCount...]) {
            return ContentComparison(classes: [.gzipHeader], content: nil, notices: [])
        }
        let oldContent = try GzipReader.expand(old, upTo: options.expandedBytes)
        let newContent = try GzipReader.expand(new, upTo: options.expandedBytes)
        var classes: Set<ChangeClass> = sameHeader ? [] : [.gzipHeader]
        guard oldContent.bytes != newContent.bytes else {
            return ContentComparison(classes: classes.union([.compression]), content: nil, notices: [])
        }
        let name = Self.innerName(path)
        var inner = compare(
            old: oldContent.bytes, new: newContent.bytes, path: name, context: context, depth: depth + 1)
        classes.formUnion(inner.classes)
        if case .archive(var archive)? = inner.content {
            archive.formats.insert("gzip", at: 0)
            inner.content = .archive(archive)
        } else {
            let change = Change(
                path: String(decoding: name, as: UTF8.self), status: .changed,
                old: ChangeSide(kind: .file, mode: 0o644, size: Int64(oldContent.bytes.count)),
                new: ChangeSide(kind: .file, mode: 0o644, size: Int64(newContent.bytes.count)),
                classes: inner.classes.sorted(), content: inner.content)
            inner.content = .archive(
                ArchiveDiff(formats: ["gzip"], identicalMembers: 0, changes: [change], notices: []))
        }
        return ContentComparison(classes: classes, content: inner.content, notices: inner.notices)
    }

    /// The name of what a gzip holds: without `.gz`, and `.tgz` as `.tar`.
    private static func innerName(_ path: [UInt8]) -> [UInt8] {
        let name = Array(RenameFinder.name(path))
        if name.suffix(3).elementsEqual(Array(".gz".utf8)) { return name.dropLast(3) }
        if name.suffix(4).elementsEqual(Array(".tgz".utf8)) { return name.dropLast(4) + Array(".tar".utf8) }
        return name
    }

    // MARK: Bytes

    private func compareBytes(
        _ old: [UInt8], _ new: [UInt8], _ path: [UInt8], _ context: Context
    ) -> ContentComparison {
        if TextComparer.isText(old), TextComparer.isText(new) {
            var (classes, diff) = TextComparer(options: options).compare(old: old, new: new, path: path)
            if classes.contains(.content), DerivedChecksums.explain(old, new, path: path, context: context) {
                classes = [.checksums]
            }
            return ContentComparison(classes: classes, content: .text(diff), notices: [])
        }
        if PycHeader.matches(old), PycHeader.matches(new),
            old.dropFirst(PycHeader.size).elementsEqual(new.dropFirst(PycHeader.size))
        {
            return ContentComparison(classes: [.pycHeader], content: binary(old, new), notices: [])
        }
        var classes: Set<ChangeClass> = [.content]
        var content = binary(old, new)
        if let sections = ELFSections.compare(old: old, new: new), case .binary(var diff) = content {
            diff.parts = sections.differing
            content = .binary(diff)
            if sections.onlyIdentifiers { classes = [.buildID] }
        }
        return ContentComparison(classes: classes, content: content, notices: [])
    }

    private func binary(_ old: [UInt8], _ new: [UInt8]) -> ContentChange {
        .binary(BinaryComparer.compare(old: old, new: new, keepingBytes: options.detail == .patch))
    }
}

/// Lists of checksums that only differ because the files that they list do.
enum DerivedChecksums {
    /// Whether a wheel's RECORD (PEP 376: `path,hash,size` a line) differs in lines about changed files only.
    static func explain(
        _ old: [UInt8], _ new: [UInt8], path: [UInt8], context: ContentComparer.Context
    ) -> Bool {
        let directory = RenameFinder.directory(path)
        guard RenameFinder.name(path).elementsEqual(Array("RECORD".utf8)),
            directory.suffix(10).elementsEqual(Array(".dist-info".utf8))
        else { return false }
        let root = RenameFinder.directory(directory)
        let oldLines = Set(old.split(separator: 0x0A))
        let newLines = Set(new.split(separator: 0x0A))
        return oldLines.symmetricDifference(newLines).allSatisfy { line in
            let listed = Array(line.prefix { $0 != UInt8(ascii: ",") })
            let full = root.isEmpty ? listed : root + [UInt8(ascii: "/")] + listed
            return full == path || context.changedPaths.contains(full)
        }
    }
}
