public import SystemPackage

/// Longest link target that is read.
private let longestTarget = 4_096

extension ZipReader {
    /// Unpacks every member below `directory`. See `TreeWriter` for what is refused.
    @discardableResult
    public func extract(
        to directory: FilePath, limits: ArchiveLimits = ArchiveLimits()
    ) async throws -> TreeWriter.Report {
        let writer = try TreeWriterActor(directory, limits: limits)
        for member in members {
            switch member.kind {
            case .directory:
                try await writer.directory(member.name, permissions: member.permissions)
            case .symlink:
                let target = try await bytes(of: member, upTo: longestTarget)
                try await writer.symlink(member.name, target: target)
            case .file where member.uncompressedSize <= Int64(MemberCursor.pieceBytes):
                let content = try await bytes(of: member, upTo: MemberCursor.pieceBytes)
                try await writer.file(member.name, permissions: member.permissions, content)
            case .file:
                try await writer.beginFile(member.name, permissions: member.permissions)
                for try await piece in contents(of: member) { try await writer.write(piece) }
                try await writer.endFile()
            }
        }
        return try await writer.finish()
    }
}

extension LocalZipReader {
    /// Unpacks every member below `directory`. Blocks; see `TreeWriter` for what is refused.
    @discardableResult
    public func extract(to directory: FilePath, limits: ArchiveLimits = ArchiveLimits()) throws -> TreeWriter.Report {
        let writer = try TreeWriter(directory, limits: limits)
        for member in members {
            switch member.kind {
            case .directory:
                try writer.directory(member.name, permissions: member.permissions)
            case .symlink:
                try writer.symlink(member.name, target: bytes(of: member, upTo: longestTarget))
            case .file:
                try writer.beginFile(member.name, permissions: member.permissions)
                try forEachPiece(of: member) { piece in try piece.withUnsafeBytes { try writer.write($0) } }
                try writer.endFile()
            }
        }
        try writer.finish()
        return writer.report
    }
}
