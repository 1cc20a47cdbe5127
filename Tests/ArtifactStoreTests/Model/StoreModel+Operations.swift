import Foundation

@testable import ArtifactStore

extension StoreModel {
    private func live(_ where: (Known) -> Bool = { _ in true }) -> [Int] {
        versions.filter { $0.value.deletedAt == nil && !busy.contains($0.key) && `where`($0.value) }.keys.sorted()
    }

    /// Begins one of the operations that matter most to each other.
    func beginQuietly() async {
        switch random.next() % 8 {
        case 0: await delete()
        case 1, 2: await publishBlob()
        case 3:
            // Deleted under the reader's eyes.
            guard let order = pick(live { !$0.isPinned }) else { return }
            await read(order)
            await delete(order)
        default: await collect()
        }
    }

    /// Begins a collection and, before the given step of it, runs `body`, which the collection waits for.
    private func spring(before step: ArtifactStore.CollectionStep, _ body: () async throws -> Void) async rethrows {
        ambushed = step
        defer { ambushed = nil }
        await collect()
        for _ in 0..<400 where at != step && collections > 0 && !machine.isOff { await Strand.pause() }
        try await body()
    }

    /// The worst moment: a push finds content that was just deleted and commits after the mark, before the condemnation,
    /// and nothing else goes on that would delay the removal.
    func ambush() async {
        guard let order = pick(live { !$0.isPinned && $0.artifact == "blob" }), let bytes = versions[order]?.bytes
        else {
            return
        }
        await delete(order)
        let next = takeOrder()
        // The first condemns what the next would remove; what is in the journal must first get into a pack and that be
        // completed.
        let before = Int(random.next() % 4)
        await strand("ambush \(next) of \(bytes.count)") { model in
            while model.busy.contains(order) { await Strand.pause() }
            model.clock.advance(Self.undeleteSeconds + 1)
            let beginning = try await model.beginIngest()
            let staged = try await beginning.ingest.addBlob(bytes)
            for _ in 0..<before {
                await model.collect()
                while model.collections > 0 { await Strand.pause() }
                try model.fixture.store.packs.sealOpenPacks()
            }
            try await model.spring(before: .decided) {
                try await model.publish(staged, next, "blob", bytes, beginning)
                beginning.ingest.abandon()
            }
        }
    }

    /// As above, with content that nothing else has and that is still in the journal when the push finds it: meanwhile it
    /// gets into a pack, which is condemned.
    func ambushJournal() async {
        let (first, next) = (takeOrder(), takeOrder())
        let bytes = random.bytes(200 + Int(random.next() % 1000))
        busy.insert(first)
        await strand("ambush of the journal \(next) of \(bytes.count)") { model in
            let beginning = try await model.beginIngest()
            try await model.publish(
                try await beginning.ingest.addBlob(bytes), first, "blob", bytes, beginning)
            model.busy.remove(first)
            guard model.versions[first] != nil else { return }
            await model.delete(first)
            while model.busy.contains(first) { await Strand.pause() }
            let again = try await model.beginIngest()
            let staged = try await again.ingest.addBlob(bytes)
            model.clock.advance(Self.undeleteSeconds + 1)
            for _ in 0..<2 {
                await model.collect()
                while model.collections > 0 { await Strand.pause() }
                try model.fixture.store.packs.sealOpenPacks()
            }
            await model.collect()
            while model.collections > 0 { await Strand.pause() }
            try await model.spring(before: .decided) {
                try await model.publish(staged, next, "blob", bytes, again)
                again.ingest.abandon()
            }
        }
    }

    /// Two pushes of content that is on its way out: one found it before and commits, the other stores it once more and
    /// gives up, both after a collection has brought everything to disk and before it marks; then the power fails. The copy
    /// that no commit has named goes with it, so it must not be the one that was kept.
    func ambushTheMark() async {
        guard let order = pick(live { !$0.isPinned && $0.artifact == "blob" && $0.bytes.count > 30_000 }),
            let bytes = versions[order]?.bytes
        else { return }
        await delete(order)
        let next = takeOrder()
        await strand("ambush of the mark \(next) of \(bytes.count)") { model in
            while model.busy.contains(order) { await Strand.pause() }
            model.clock.advance(Self.undeleteSeconds + 1)
            let beginning = try await model.beginIngest()
            let staged = try await beginning.ingest.addBlob(bytes)
            for _ in 0..<2 {
                try model.fixture.store.packs.sealOpenPacks()
                await model.collect()
                while model.collections > 0 { await Strand.pause() }
            }
            var other: Ingest?
            try await model.spring(before: .begun) {
                let ingest = try await model.beginIngest().ingest
                other = ingest
                _ = try await ingest.addBlob(bytes)
                try await model.publish(staged, next, "blob", bytes, beginning)
            }
            for _ in 0..<100 where model.at != .decided && model.collections > 0 && !model.machine.isOff {
                await Strand.pause()
            }
            other?.abandon()
            beginning.ingest.abandon()
            while model.collections > 0 { await Strand.pause() }
            if !model.machine.isOff, !model.isEnding { model.machine.arm(0) }
        }
    }

    /// Deleted under the reader's eyes: it has opened a version, everything goes that nothing else needs, and it reads on.
    func ambushReader() async {
        guard let order = pick(live { !$0.isPinned && $0.artifact == "blob" }), let version = versions[order] else {
            return
        }
        await strand("ambush of a reader of \(order)") { model in
            let stream = try await model.open(version)
            await model.delete(order)
            while model.busy.contains(order) { await Strand.pause() }
            model.clock.advance(Self.undeleteSeconds + 1)
            for _ in 0..<3 {
                try model.fixture.store.packs.sealOpenPacks()
                await model.collect()
                while model.collections > 0 { await Strand.pause() }
            }
            guard try await stream.collect(upTo: 1 << 20) == version.bytes else {
                throw ModelFailure("a read of \(order), which was deleted meanwhile, returned other bytes")
            }
        }
    }

    /// Begins one operation.
    func begin() async {
        switch random.next() % 100 {
        case 0..<20: await publishBlob()
        case 20..<28: await publishTree()
        case 28..<31: await abandon()
        case 31..<42: await read()
        case 42..<62: await delete()
        case 62..<66: await undelete()
        case 66..<70: await pinOrUnpin()
        case 70..<74: await tag()
        case 74..<97: await collect()
        case 97..<98: await rebuild()
        default: await scrub()
        }
    }

    private func draft(_ order: Int, _ artifact: String) -> VersionDraft {
        VersionDraft(
            scope: fixture.scope, repository: "web", artifact: artifact, execution: "execution-\(order)",
            createdBy: "model")
    }

    /// An ingest, and what excuses it from having to begin again.
    private struct Beginning: Sendable {
        let ingest: Ingest
        let expires: Date
        let faults: Int
    }

    private func beginIngest() async throws -> Beginning {
        let (expires, faults) = (clock.now.addingTimeInterval(Self.leaseSeconds), machine.faults)
        return Beginning(
            ingest: try await fixture.store.beginIngest(scope: fixture.scope), expires: expires, faults: faults)
    }

    private func publish(
        _ staged: StagedContent, _ order: Int, _ artifact: String, _ bytes: [UInt8], _ beginning: Beginning
    ) async throws {
        try await tentatively(.publish(order, artifact, bytes)) {
            do {
                let version = try await fixture.store.publish(staged, draft(order, artifact))
                versions[order] = Known(id: version.id, artifact: artifact, bytes: bytes)
                note("published \(order)")
            } catch let error as StoreError where error.code == .leaseExpired {
                note("\(order): lease expired")
                // Only what has expired or met with a fault may be told to begin again.
                guard clock.now >= beginning.expires || machine.faults > beginning.faults || machine.isOff else {
                    throw ModelFailure("\(order) was refused: \(error)")
                }
            }
        }
    }

    private func takeOrder() -> Int {
        nextOrder += 1
        return nextOrder
    }

    private func content() -> [UInt8]? { random.next() % 2 == 0 ? pick(graves) ?? pick(contents) : pick(contents) }

    private func publishBlob() async {
        guard let bytes = content() else { return }
        let order = takeOrder()
        let patience = patience()
        await strand("blob \(order) of \(bytes.count)") { model in
            let beginning = try await model.beginIngest()
            await Strand.pause()
            let writer = try await beginning.ingest.openBlob()
            for start in stride(from: 0, to: bytes.count, by: 16_000) {
                try await writer.write(Array(bytes[start..<min(bytes.count, start + 16_000)]))
                await Strand.pause()
            }
            let staged = try await writer.finish()
            await model.linger(patience)
            try await model.publish(staged, order, "blob", bytes, beginning)
        }
    }

    private func publishTree() async {
        guard let bytes = content() else { return }
        let order = takeOrder()
        let variant = UInt8(random.next() % 3)
        let patience = patience()
        await strand("tree \(order) of \(bytes.count)") { model in
            let beginning = try await model.beginIngest()
            let tree = try await beginning.ingest.openTree()
            for index in 0..<30 {
                // Long enough not to be kept within the tree.
                let text = Array(String(repeating: "\(index) \(variant) ", count: 40).utf8)
                try await tree.addFile(Array("d/\(index % 3)/f\(index)".utf8), mode: 0o644, text)
                if index % 10 == 0 { await Strand.pause() }
            }
            try await tree.addFile(Array("content".utf8), mode: 0o644, bytes)
            await Strand.pause()
            let staged = try await tree.finish()
            await model.linger(patience)
            try await model.publish(staged, order, "tree", bytes, beginning)
        }
    }

    private func abandon() async {
        guard let bytes = pick(contents) else { return }
        await strand("abandoned blob of \(bytes.count)") { model in
            let ingest = try await model.beginIngest().ingest
            _ = try await ingest.addBlob(bytes)
            await Strand.pause()
            ingest.abandon()
        }
    }

    func open(_ version: Known) async throws -> ByteStream {
        if version.artifact == "blob" { return try await fixture.store.read(version.id) }
        return try await fixture.store.readFile(version.id, path: "content").stream
    }

    private func read(_ order: Int? = nil) async {
        guard let order = order ?? pick(live()), let version = versions[order] else { return }
        let patience = patience()
        await strand("read \(order)") { model in
            var iterator = try await model.open(version).makeAsyncIterator()
            var seen: [UInt8] = []
            repeat { await Strand.pause(patience) } while try await append(&iterator, &seen)
            guard seen == version.bytes else { throw ModelFailure("a read of \(order) returned other bytes") }
        }
        @Sendable func append(_ iterator: inout ByteStream.AsyncIterator, _ seen: inout [UInt8]) async throws -> Bool {
            guard let piece = try await iterator.next() else { return false }
            seen += piece
            return true
        }
    }

    /// Runs an operation on one version, which nothing else changes meanwhile.
    private func change(
        _ name: String, _ order: Int, _ doubt: Doubt,
        _ body: @escaping @Sendable (StoreModel, VersionID) async throws -> Void
    ) async {
        guard let id = versions[order]?.id else { return }
        busy.insert(order)
        await strand("\(name) \(order)") { model in
            defer { model.busy.remove(order) }
            try await model.tentatively(doubt) { try await body(model, id) }
        }
    }

    private func delete() async {
        let candidates = live()
        if candidates.count > 3 || random.next() % 4 == 0, let order = pick(candidates) { await delete(order) }
    }

    private func delete(_ order: Int) async {
        guard !busy.contains(order), let version = versions[order] else { return }
        let (isPinned, bytes) = (version.isPinned, version.bytes)
        versions[order]?.deletionBegan = clock.now
        await change("delete", order, .deletion(order)) { model, id in
            do {
                try await model.fixture.store.delete([id])
                if isPinned { throw ModelFailure("\(order) was deleted although it is pinned") }
                try await model.settle(.deletion(order))
                model.graves = (model.graves + [bytes]).suffix(4)
            } catch let error as StoreError where error.code == .retained && isPinned {
                model.note("\(order) is kept")
            }
        }
    }

    private func undelete() async {
        let candidates = versions.filter { $0.value.deletedAt != nil && !busy.contains($0.key) }.keys.sorted()
        guard let order = pick(candidates), let deletedAt = versions[order]?.deletedAt else { return }
        await change("undelete", order, .deletion(order)) { model, id in
            do {
                try await model.fixture.store.undelete(id)
                model.versions[order]?.deletedAt = nil
            } catch let error as StoreError where error.code == .notFound {
                guard model.clock.now >= deletedAt + Self.undeleteSeconds else {
                    throw ModelFailure("\(order) could not be brought back within its window")
                }
            }
        }
    }

    private func pinOrUnpin() async {
        guard let order = pick(live()), let isPinned = versions[order]?.isPinned else { return }
        await change(isPinned ? "unpin" : "pin", order, .pin(order)) { model, id in
            if isPinned {
                try await model.fixture.store.unpin(id, name: "model")
            } else {
                try await model.fixture.store.pin(id, name: "model", owner: "model")
            }
            model.versions[order]?.isPinned = !isPinned
        }
    }

    private func tag() async {
        guard let tag = pick(["one", "two", "three"].filter { !busyTags.contains($0) }),
            let order = pick(live { $0.artifact == "blob" })
        else { return }
        busyTags.insert(tag)
        await change("tag \(tag)", order, .tag(tag)) { model, id in
            defer { model.busyTags.remove(tag) }
            try await model.fixture.store.setTag(tag, on: id)
            model.tags[tag] = order
        }
    }

    private func collect() async {
        await strand("collect") { model in
            model.collections += 1
            defer {
                model.collections -= 1
                model.isPastMark = false
            }
            do {
                let report = try await model.fixture.store.collect()
                model.note(
                    "collected: \(report.packsCondemned) condemned, \(report.packsCompacted) compacted, \(report.packsDeleted) deleted"
                )
            } catch let error as StoreError where error.code == .conflict {
                return
            }
        }
    }

    private func rebuild() async {
        await strand("rebuild index") { model in _ = try await model.fixture.store.rebuildIndex() }
    }

    private func scrub() async {
        await strand("scrub") { model in
            do {
                let report = try await model.fixture.store.scrub(.pack)
                if !report.damage.isEmpty { throw ModelFailure("scrubbing found \(report.damage)") }
            } catch let error as StoreError where error.code == .conflict {
                return
            }
        }
    }
}
