import Testing

@testable import ActionProviders

@Suite struct FileGlobTests {
    @Test(
        "A pattern matches what CodeBuild's documentation says it matches",
        arguments: [
            ("**/*", "a", true), ("**/*", "a/b/c", true), ("**/*", ".hidden/x", true), ("**", "a/b", true),
            ("*", "a", true), ("*", "a/b", false), ("*.jar", "app.jar", true), ("*.jar", "lib/app.jar", false),
            ("**/*.jar", "app.jar", true), ("**/*.jar", "x/y/app.jar", true), ("target/*.jar", "target/app.jar", true),
            ("target/*.jar", "target/x/app.jar", false), ("target/**/*.jar", "target/app.jar", true),
            ("target/**/*.jar", "target/x/y/app.jar", true), ("dir/*", "dir/a", true), ("dir/*", "dir/a/b", false),
            ("dir/**/*", "dir/a/b", true), ("dir/**/*", "dir", false), ("dir/**", "dir/a", true),
            ("dir/**", "dir", false),
            ("a/**/b/**/c", "a/b/c", true), ("a/**/b/**/c", "a/x/b/y/z/c", true), ("a/**/b/**/c", "a/x/c", false),
            ("file?.txt", "file1.txt", true), ("file?.txt", "file.txt", false), ("file?.txt", "file12.txt", false),
            ("[ab].txt", "a.txt", true), ("[!ab].txt", "a.txt", false), ("[a-c]x", "bx", true), ("[a-c]x", "dx", false),
            ("./a/./b", "a/b", true), ("a//b", "a/b", true), ("a\\*b", "a*b", true), ("a\\*b", "axb", false),
            ("my-dir*", "my-dir1", true), ("my-dir*", "my-dir1/x", false), ("[", "[", true), ("*a*b*c", "xaxbxc", true),
            ("*a*b*c", "xaxbx", false), ("", "a", false),
        ])
    func matches(pattern: String, path: String, expected: Bool) {
        #expect(FileGlob(pattern).matches(path) == expected)
    }

    @Test("Patterns that multiply stars are matched in bounded time")
    func isNotExponential() {
        let glob = FileGlob(String(repeating: "**/a*a*a*/", count: 12) + "b")
        #expect(!glob.matches(String(repeating: "aaaaaaaaaaaaaaaaaaaa/", count: 40) + "c"))
    }

    @Test(
        "A walk goes only where something can match",
        arguments: [
            ("src/*.c", "src", true), ("src/*.c", "doc", false), ("**/x", "any/where", true), ("a/b/c", "a/b", true),
            ("a/b/c", "a/b/c", true), ("a/b/c", "a/b/c/d", false), ("*.txt", "dir", false),
        ])
    func pruning(pattern: String, directory: String, expected: Bool) {
        // A directory that matches as a whole may be walked in vain; one that cannot lead anywhere must not matter.
        #expect(FileGlob(pattern).canMatchBelow(directory) == expected)
    }
}
