import CCofferShims
import Foundation
import Glibc
import Testing

/// Where a child's descriptors end up, whatever numbers they have in a busy server.
@Suite struct SpawnTests {
    @Test(
        "A descriptor of any number reaches the child in its place",
        arguments: [[3, 4, 5], [5, 4, 3], [511, 512, 513], [513, 512, 511], [600, 512, 514], [512, 600, 513]])
    func places(_ wanted: [Int32]) throws {
        var parents: [Int32] = []
        var childs: [Int32] = []
        defer { for descriptor in parents + childs { close(descriptor) } }
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        try #require(input >= 0)
        childs.append(try placed(input, wanted[0]))
        for place in wanted[1...] {
            var ends: [Int32] = [-1, -1]
            try #require(coffer_pipe(&ends) == 0)
            parents.append(ends[0])
            childs.append(try placed(ends[1], place))
        }
        let words: [UnsafeMutablePointer<CChar>?] =
            ["/bin/sh", "-c", "echo out; echo err >&2"].map { (word: String) in strdup(word) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let nothing: [UnsafeMutablePointer<CChar>?] = [nil]
        let failure = coffer_spawn("/bin/sh", words, nothing, nil, childs, childs.count, &pid)
        try #require(failure == 0)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        #expect(status == 0)
        #expect(said(parents[0]) == "out\n")
        #expect(said(parents[1]) == "err\n")
    }

    /// The same open file under the first free number from `number` on; the old number is closed.
    private func placed(_ descriptor: Int32, _ number: Int32) throws -> Int32 {
        let moved = fcntl(descriptor, F_DUPFD_CLOEXEC, number)
        close(descriptor)
        try #require(moved >= number)
        return moved
    }

    /// What waits in a pipe whose writer has ended.
    private func said(_ descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
