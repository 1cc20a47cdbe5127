/// Finds the files of a version that need certain records, without reading chunks.
struct DamageSearch {
    private let version: OpenVersion
    private let records: Set<RecordID>
    private var found: [String] = []

    init(_ version: OpenVersion, _ records: Set<RecordID>) {
        self.version = version
        self.records = records
    }

    func run() throws -> [String] {
        var search = self
        switch version.root.content {
        case .blob(let content): search.file(content, "")
        case .tree(let directory): search.directory(directory, "")
        }
        return search.found
    }

    private func name(_ path: String) -> String { version.context.subject + (path.isEmpty ? "" : ":" + path) }

    private mutating func file(_ content: FileContent, _ path: String) {
        var walk = SegmentWalk(version.context, content)
        do {
            if content.refs.contains(where: { records.contains($0.id) }) { return found.append(name(path)) }
            while let (segment, _) = try walk.next() {
                if let ref = segment.ref, records.contains(ref.id) { return found.append(name(path)) }
            }
        } catch {
            // Its list of chunks cannot be read: it is concerned.
            found.append(name(path))
        }
    }

    private mutating func directory(_ directory: DirectoryContent, _ path: String) {
        do {
            for entry in try version.context.entries(directory) {
                let full = (path.isEmpty ? "" : path + "/") + String(decoding: entry.name, as: UTF8.self)
                switch entry.content {
                case .file(let content): file(content, full)
                case .directory(let child): self.directory(child, full)
                case .symlink: break
                }
            }
        } catch {
            found.append(name(path + "/"))
        }
    }
}
