import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct IntegrityTests {
    private static func furnished() async throws -> (StoreFixture, [Version]) {
        let fixture = try await StoreFixture(configure: { $0.undeleteSeconds = 0 })
        var versions: [Version] = []
        for round in 0..<3 {
            versions.append(try await fixture.publish([UInt8](repeating: UInt8(round), count: 3000 + round)))
        }
        versions.append(
            try await fixture.publish(directory: try fixture.directory("in", ["a": [1], "b/c": [2]]), artifact: "tree"))
        try await fixture.store.pin(versions[0].id, name: "keep", owner: "test")
        try await fixture.store.pin(versions[1].id, name: "prod", kind: .deployment, owner: "test")
        try await fixture.store.pin(versions[2].id, name: "prod", kind: .deployment, owner: "test")
        try await fixture.store.recordHead()
        return (fixture, versions)
    }

    private static func change(_ fixture: StoreFixture, _ sql: String, _ arguments: (any SQLConvertible)?...)
        async throws
    {
        let values = arguments.map { $0?.sqlValue ?? .null }
        _ = try await fixture.catalog.write { transaction in
            switch values.count {
            case 0: try transaction.execute(sql)
            case 1: try transaction.execute(sql, values[0])
            case 2: try transaction.execute(sql, values[0], values[1])
            default: try transaction.execute(sql, values[0], values[1], values[2])
            }
        }
    }

    @Test("What nobody touched verifies, over restarts, deletions, collections and rotations")
    func untouched() async throws {
        let (fixture, versions) = try await Self.furnished()
        defer { fixture.remove() }
        #expect(try await fixture.store.unpin(versions[0].id, name: "keep"))
        try await fixture.store.delete([versions[0].id])
        try await fixture.store.collect()
        _ = try await fixture.store.rotateStorageKey(destroyingOld: true)
        #expect(try await fixture.store.rotateSigningKey() == 2)
        _ = try await fixture.publish([9, 9])
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(job.id).state == .done)
        try await fixture.store.recordHead()
        func check(_ fixture: StoreFixture) async throws {
            let report = try await fixture.store.verify()
            #expect(report.problems == [])
            #expect(report.versions == 4 && report.pins == 1 && report.heads >= 2)
            var place: VerificationPlace?
            var bytes: Int64 = 0
            var calls = 0
            repeat {
                let (content, next) = try await fixture.store.verifyContent(from: place, byteLimit: 2000)
                #expect(content.problems == [] && content.skipped == [])
                (bytes, place, calls) = (bytes + content.bytes, next, calls + 1)
            } while place != nil
            #expect(bytes == 6007 && calls > 1)
            let whole = try await fixture.store.verifyContent().report
            #expect(whole.bytes == bytes && whole.versions == 4)
            // Four publications, three pins and an unpin by the deployment, an unpin, a removal, a key, a publication.
            #expect(report.entries == 12)
            for version in versions.dropFirst() { #expect(try await fixture.store.verify(version.id).problems == []) }
            #expect(try await fixture.store.rollbackProblem() == nil)
        }
        try await check(fixture)
        try await check(try await fixture.reopened(configure: { $0.undeleteSeconds = 0 }))
    }

    @Test("A deleted row is named")
    func deletedRow() async throws {
        let (fixture, versions) = try await Self.furnished()
        defer { fixture.remove() }
        try await Self.change(fixture, "DELETE FROM store_pins WHERE version = ?", versions[0].id.rawValue)
        try await Self.change(fixture, "DELETE FROM store_versions WHERE id = ?", versions[0].id.rawValue)
        let problems = try await fixture.store.verify().problems
        #expect(problems.count == 2)
        #expect(problems.contains { $0.contains("web/app@1") && $0.contains("is missing") })
        #expect(problems.contains { $0.contains("pin keep") && $0.contains("is missing") })
    }

    @Test("Two versions that were swapped are refused when they are read, and named")
    func swapped() async throws {
        let (fixture, versions) = try await Self.furnished()
        defer { fixture.remove() }
        try await Self.change(fixture, "UPDATE store_versions SET number = 99 WHERE id = ?", versions[0].id.rawValue)
        try await Self.change(fixture, "UPDATE store_versions SET number = 1 WHERE id = ?", versions[1].id.rawValue)
        try await Self.change(fixture, "UPDATE store_versions SET number = 2 WHERE id = ?", versions[0].id.rawValue)
        for version in versions.prefix(2) {
            let error = await #expect(throws: StoreError.self) { try await fixture.read(version) }
            #expect(error?.code == .integrity)
            let problems = try await fixture.store.verify(version.id).problems
            #expect(problems.contains { $0.contains("number is") })
        }
        let problems = try await fixture.store.verify().problems
        #expect(problems.count == 2, "\(problems)")
    }

    @Test("A changed column of a version is named with what was stated")
    func changedColumns() async throws {
        let (fixture, versions) = try await Self.furnished()
        defer { fixture.remove() }
        let id = versions[3].id.rawValue
        for (sql, word) in [
            ("UPDATE store_versions SET created_by = 'mallory' WHERE id = ?", "publisher is mallory"),
            ("UPDATE store_versions SET stage = 'Prod' WHERE id = ?", "stage is Prod"),
            ("UPDATE store_versions SET logical_bytes = 5 WHERE id = ?", "size is 5"),
        ] {
            try await Self.change(fixture, sql, id)
            let problems = try await fixture.store.verify().problems
            #expect(problems.count == 1 && problems[0].contains(word), "\(problems)")
        }
    }

    @Test("Content that another version has cannot be put into a version")
    func exchangedContent() async throws {
        for column in ["root", "data_key", "summary"] {
            let (copy, _) = try await Self.furnished()
            defer { copy.remove() }
            let ids = try await copy.catalog.read {
                try $0.rows("SELECT id FROM store_versions ORDER BY number, artifact").map { try $0.string("id") }
            }
            try await Self.change(
                copy,
                "UPDATE store_versions SET \(column) = (SELECT \(column) FROM store_versions WHERE id = ?) WHERE id = ?",
                ids[0], ids[2])
            let content = try await copy.store.verifyContent().report
            let problems = try await copy.store.verify().problems
            #expect(!problems.isEmpty || !content.problems.isEmpty || !content.skipped.isEmpty, "\(column)")
        }
    }

    @Test("Altered, re-inserted and invented pins are refused when they are read, and named")
    func pins() async throws {
        let (fixture, versions) = try await Self.furnished()
        defer { fixture.remove() }
        let old = try await fixture.catalog.read {
            try #require(try $0.row("SELECT * FROM store_pins WHERE name = 'keep'"))
        }
        // Repointed: what runs in prod is another version now.
        try await Self.change(
            fixture, "UPDATE store_pins SET version = ? WHERE name = 'prod'", versions[0].id.rawValue)
        let reference = VersionReference(repository: "web", artifact: "app", which: "prod")
        await #expect(throws: StoreError.self) { try await fixture.store.resolve(reference, in: fixture.scope) }
        await #expect(throws: StoreError.self) { try await fixture.store.pins() }
        let problems = try await fixture.store.verify().problems
        #expect(problems.contains { $0.contains("pin prod") && $0.contains("altered") })
        #expect(problems.contains { $0.contains("pin prod") && $0.contains("is missing") })
        try await Self.change(
            fixture, "UPDATE store_pins SET version = ? WHERE name = 'prod'", versions[2].id.rawValue)
        #expect(try await fixture.store.resolve(reference, in: fixture.scope).id == versions[2].id)
        #expect(try await fixture.store.verify().problems == [])
        // An old row put back after the pin was removed.
        #expect(try await fixture.store.unpin(versions[0].id, name: "keep"))
        let (version, mac, sequence) = (try old.string("version"), try old.bytes("mac"), try old.int64("log_sequence"))
        let created = try old.int64("created_at")
        try await fixture.catalog.write { transaction in
            _ = try transaction.execute(
                """
                INSERT INTO store_pins (version, name, kind, owner, reason, created_at, log_sequence, mac)
                VALUES (?, 'keep', 'pin', 'test', '', ?, ?, ?)
                """, version, created, sequence, mac)
        }
        #expect(try await fixture.store.verify().problems.contains { $0.contains("old row was put back") })
    }

    @Test(
        "A changed log is noticed wherever it is changed",
        arguments: [
            "DELETE FROM store_log WHERE sequence = 3", "DELETE FROM store_log WHERE sequence = 7",
            "UPDATE store_log SET subject = 'version/x' WHERE sequence = 2",
            "UPDATE store_log SET signature = (SELECT signature FROM store_log WHERE sequence = 1) WHERE sequence = 2",
            "UPDATE store_log SET statement = (SELECT statement FROM store_log WHERE sequence = 1) WHERE sequence = 2",
            "UPDATE store_log SET leaf = (SELECT leaf FROM store_log WHERE sequence = 1) WHERE sequence = 4",
            "UPDATE store_log_heads SET root = (SELECT leaf FROM store_log WHERE sequence = 1)",
            "UPDATE store_log_heads SET size = 6",
        ])
    func alteredLog(sql: String) async throws {
        let (fixture, _) = try await Self.furnished()
        defer { fixture.remove() }
        try await Self.change(fixture, sql)
        #expect(try await !fixture.store.verify().problems.isEmpty)
    }

    @Test("A database that was put back to an earlier state is noticed until somebody acknowledges it")
    func rollback() async throws {
        let (fixture, _) = try await Self.furnished()
        defer { fixture.remove() }
        let file = fixture.folder.appending("catalog.db").string
        try fixture.catalog.close()
        let copy = try Data(contentsOf: URL(fileURLWithPath: file))
        let second = try await fixture.reopened()
        let lost = try await second.publish([1, 2, 3], artifact: "late")
        try await second.store.close()
        try second.catalog.close()
        try copy.write(to: URL(fileURLWithPath: file))
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + suffix) }
        let third = try await second.reopened()
        let problem = try #require(try await third.store.rollbackProblem())
        #expect(problem.contains("the version log has 8 entries; it had 9"), "\(problem)")
        #expect(try await third.store.verify().problems == [problem])
        await #expect(throws: StoreError.self) { try await third.store.version(lost.id) }
        try await third.store.acknowledgeRollback(problem, by: "test")
        #expect(try await third.store.rollbackProblem() == nil)
        #expect(try await third.store.verify().problems == [])
    }

    @Test("Heads that are recorded at once while versions are published verify, and the mark never goes back")
    func concurrentHeads() async throws {
        let (fixture, _) = try await Self.furnished()
        defer { fixture.remove() }
        let store = fixture.store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<2 {
                group.addTask {
                    for index in 0..<10 { _ = try await fixture.publish([UInt8(writer), UInt8(index)]) }
                }
            }
            for _ in 0..<4 {
                group.addTask {
                    var last: Int64 = 0
                    for _ in 0..<8 {
                        try await store.recordHead()
                        let mark = try await store.versionLog.signer.highWaterMark()?.logSize ?? 0
                        #expect(mark >= last)
                        last = mark
                    }
                }
            }
            try await group.waitForAll()
        }
        try await store.recordHead()
        #expect(try await store.verify().problems == [])
    }

    @Test("A signing key whose certificate a crash took is certified when the store is opened")
    func certificate() async throws {
        let (fixture, _) = try await Self.furnished()
        defer { fixture.remove() }
        try await fixture.store.versionLog.signer.rotateKey()
        let later = try await fixture.reopened(configure: { $0.undeleteSeconds = 0 })
        let entry = try await later.catalog.read {
            try $0.row("SELECT key_version FROM store_log WHERE subject = 'key/2'")
        }
        #expect(try entry?.int("key_version") == 1)
        #expect(try await later.store.rotateSigningKey() == 3)
        #expect(try await later.store.verify().problems == [])
    }

    @Test("Another history of the same length is noticed")
    func fork() async throws {
        let (fixture, _) = try await Self.furnished()
        defer { fixture.remove() }
        let file = fixture.folder.appending("catalog.db").string
        try fixture.catalog.close()
        let copy = try Data(contentsOf: URL(fileURLWithPath: file))
        let second = try await fixture.reopened()
        _ = try await second.publish([1], artifact: "late")
        try await second.store.close()
        try second.catalog.close()
        try copy.write(to: URL(fileURLWithPath: file))
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + suffix) }
        let third = try await second.reopened()
        _ = try await third.publish([2], artifact: "other")
        #expect(try await third.store.rollbackProblem()?.contains("is not the one that was there") == true)
    }

    @Test("Versions and pins that are older than the log get their statements when the store is opened")
    func beginning() async throws {
        let (fixture, versions) = try await Self.furnished()
        defer { fixture.remove() }
        try await fixture.catalog.write { transaction in
            for sql in [
                "DELETE FROM store_log", "DELETE FROM store_log_heads",
                "DELETE FROM store_state WHERE name = 'log_begun'",
                "UPDATE store_pins SET mac = NULL, log_sequence = NULL",
            ] { try transaction.execute(sql) }
        }
        let later = try await fixture.reopened()
        try await later.keys.signer().writeHighWaterMark(logSize: 0, logHead: [])
        let report = try await later.store.verify()
        #expect(report.problems == [])
        #expect(report.versions == versions.count && report.pins == 2)
    }

    @Test(
        "Heads are those of the Merkle tree of RFC 6962, whatever the number of leaves",
        arguments: [0, 1, 2, 3, 7, 8, 33])
    func merkle(count: Int) {
        let leaves = (0..<count).map { SHA256.digest([UInt8($0)]) }
        func root(_ leaves: ArraySlice<SHA256Digest>) -> SHA256Digest {
            guard let first = leaves.first else { return SHA256.digest([]) }
            if leaves.count == 1 { return first }
            var split = 1
            while split * 2 < leaves.count { split *= 2 }
            let middle = leaves.startIndex + split
            return SHA256.digest([1] + root(leaves[..<middle]).bytes + root(leaves[middle...]).bytes)
        }
        var frontier = MerkleFrontier()
        for leaf in leaves { frontier.append(leaf) }
        #expect(frontier.root == root(leaves[...]))
        #expect(frontier.size == Int64(count))
    }
}
