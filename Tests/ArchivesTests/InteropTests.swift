import Foundation
import Testing

@testable import Archives

/// Agreement with the programs that people have. A test whose program is missing says so and passes.
@Suite("Agreement with other programs")
struct InteropTests {
    private func tree(in scratch: Scratch) throws {
        _ = try scratch.write("src/readme.txt", bytes(String(repeating: "read me\n", count: 300)))
        _ = try scratch.write("src/sub/größe.bin", ScannerTests.random(5_000))
        _ = try scratch.write("src/empty", [])
    }

    private func check(_ archive: [UInt8], _ scratch: Scratch) throws {
        let reader = try LocalZipReader(archive)
        let files = reader.members.filter { $0.kind == .file }
        #expect(Set(files.map(\.path)) == ["readme.txt", "sub/größe.bin", "empty"])
        for file in files { #expect(try reader.bytes(of: file) == scratch.read("src/" + file.path)) }
        let spans = ContainerScanner.spans(of: archive)
        #expect(spans.flatMap { archive[$0.range] } == archive)
        for file in files where file.compressedSize > 0 {
            let range = try reader.dataRange(of: file)
            #expect(
                spans.contains {
                    $0.span.role == .body && Int64($0.range.lowerBound) == range.lowerBound
                        && Int64($0.range.upperBound) == range.upperBound
                }, "\(file.path) has a run of its own")
        }
    }

    @Test("Info-ZIP's archives are read, to a file and to a pipe")
    func infoZip() throws {
        guard let zip = tool("zip") else { return }
        let scratch = try Scratch()
        try tree(in: scratch)
        #expect(try run(zip, ["-q", "-r", "../out.zip", "."], in: scratch.path + "/src").status == 0)
        try check(scratch.read("out.zip"), scratch)
        // To a pipe, zip cannot seek back and writes descriptors.
        #expect(
            try run("/bin/sh", ["-c", "\(zip) -q -r - . | cat > ../pipe.zip"], in: scratch.path + "/src").status == 0)
        try check(scratch.read("pipe.zip"), scratch)
    }

    @Test("Python's archives are read, with known sizes and with descriptors")
    func python() throws {
        guard let python = tool("python3") else { return }
        let scratch = try Scratch()
        try tree(in: scratch)
        let script = """
            import os, sys, zipfile
            class Pipe:
                def __init__(self, f): self.f = f
                def write(self, b): return self.f.write(b)
                def flush(self): self.f.flush()
            for name, wrap in (("a.zip", lambda f: f), ("b.zip", Pipe)):
                with open(name, "wb") as f, zipfile.ZipFile(wrap(f), "w", zipfile.ZIP_DEFLATED) as z:
                    for root, _, files in os.walk("src"):
                        for n in files: z.write(os.path.join(root, n), os.path.relpath(os.path.join(root, n), "src"))
            """
        let result = try run(python, ["-c", script], in: scratch.path)
        #expect(result.status == 0, "\(result.output)")
        try check(scratch.read("a.zip"), scratch)
        try check(scratch.read("b.zip"), scratch)
    }

    @Test("unzip and Python accept what is written here")
    func readBack() throws {
        let scratch = try Scratch()
        _ = try scratch.write("ours.zip", ScannerTests.sampleZip())
        if let unzip = tool("unzip") {
            let result = try run(unzip, ["-t", "ours.zip"], in: scratch.path)
            #expect(result.status == 0, "\(result.output)")
        }
        if let python = tool("python3") {
            let script =
                "import zipfile; z = zipfile.ZipFile('ours.zip'); assert z.testzip() is None; print(z.namelist())"
            let result = try run(python, ["-c", script], in: scratch.path)
            #expect(result.status == 0, "\(result.output)")
            #expect(result.output.contains("['a.txt', 'inner.jar', 'mod.pyc']"))
        }
    }

    @Test("tar, ar and gzip files of the system are scanned without loss and cut at members")
    func unix() throws {
        let scratch = try Scratch()
        try tree(in: scratch)
        let content = try scratch.read("src/sub/größe.bin")
        for format in ["gnu", "pax", "ustar"] {
            guard let tar = tool("tar") else { break }
            #expect(
                try run(tar, ["--format=\(format)", "-cf", "../out.tar", "."], in: scratch.path + "/src").status == 0)
            let input = try scratch.read("out.tar")
            let spans = ContainerScanner.spans(of: input)
            #expect(spans.flatMap { input[$0.range] } == input)
            #expect(spans.contains { $0.span.role == .body && input[$0.range].elementsEqual(content) }, "\(format)")
        }
        if let ar = tool("ar") {
            #expect(
                try run(ar, ["qc", "../out.a", "readme.txt", "sub/größe.bin"], in: scratch.path + "/src").status == 0)
            let input = try scratch.read("out.a")
            let spans = ContainerScanner.spans(of: input)
            #expect(spans.flatMap { input[$0.range] } == input)
            #expect(spans.contains { $0.span.role == .body && input[$0.range].elementsEqual(content) })
        }
    }
}
