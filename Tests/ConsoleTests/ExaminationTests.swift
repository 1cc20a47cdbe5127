import Compression
import Testing

@testable import ArtifactStore
@testable import Console

@Suite struct ExaminationTests {
    /// What is allowed, what is in use, and what the doctor says to it.
    private static let cases: [(limit: Int, inUse: Int?, verdict: Finding.Verdict, text: String)] = [
        (256, 20, .warning, "at most 256 at once, 20 in use; connections may be refused: start"),
        (1024, 20, .ok, "at most 1024 at once, 20 in use"),
        (65_536, nil, .ok, "at most 65536 at once"),
        (4096, 4000, .warning, "4000 in use, which is nearly all of them: start it with ulimit -n 65536"),
    ]

    @Test("the doctor judges how many files may be open, and says what would be right", arguments: cases)
    func openFiles(limit: Int, inUse: Int?, verdict: Finding.Verdict, text: String) {
        let finding = Examination.openFiles(OpenFiles(limit: limit, ceiling: limit), inUse: inUse)
        #expect(finding.verdict == verdict)
        #expect(finding.detail.contains(text), "\(finding.detail)")
        #expect(finding.detail.contains("LimitNOFILE=65536") == (verdict == .warning))
    }

    @Test(arguments: [(true, Encoder.igzip, Finding.Verdict.ok), (true, .zlib, .warning), (false, .zlib, .warning)])
    func `An encoder that is found and passed over is told of`(
        isFound: Bool, used: Encoder, verdict: Finding.Verdict
    ) {
        let finding = Examination.igzip(isFound: isFound, "libisal", used: used)
        #expect(finding.verdict == verdict)
        #expect(finding.detail.contains("COFFER_ENCODER=zlib") == (isFound && used == .zlib))
    }
}
