import Testing

@testable import Console

@Suite("References to versions")
struct ReferenceTextTests {
    @Test(
        "are read into their parts",
        arguments: [
            ("web/app@latest", ["web", "app", "latest", "-", "-"]),
            ("web@413", ["web", "-", "413", "-", "-"]),
            ("web/app@413.2:lib/a.so", ["web", "app", "413.2", "lib/a.so", "-"]),
            ("web/app@Prod:/lib/", ["web", "app", "Prod", "lib", "-"]),
            (
                "web/app@v1.2:dist/app.jar!META-INF/MANIFEST.MF",
                ["web", "app", "v1.2", "dist/app.jar", "META-INF/MANIFEST.MF"]
            ),
            ("web/app@1:app.zip!", ["web", "app", "1", "app.zip", ""]),
            ("web/app@sha256:0123abcd", ["web", "app", "sha256:0123abcd", "-", "-"]),
            ("web/app@sha256:0123abcd:a:b", ["web", "app", "sha256:0123abcd", "a:b", "-"]),
            ("web/a/b@latest:", ["web", "a/b", "latest", "-", "-"]),
            ("share:0a1b:lib/app.jar!a/b", ["", "-", "0a1b", "lib/app.jar", "a/b"]),
            ("share:0a1b", ["", "-", "0a1b", "-", "-"]),
            ("123456789012/web/app@413:lib", ["web", "app", "413", "lib", "-"]),
            ("123456789012/app@4", ["123456789012", "app", "4", "-", "-"]),
        ])
    func parts(_ text: String, _ expected: [String]) throws {
        let reference = try ReferenceText(text)
        let parts = [
            reference.repository, reference.artifact ?? "-", reference.which, reference.path ?? "-",
            reference.inner ?? "-",
        ]
        #expect(parts == expected)
    }

    @Test("name what another account shared by its number")
    func foreign() throws {
        let reference = try ReferenceText("123456789012/web/app@413")
        #expect(reference.account == "123456789012")
        #expect(reference.isOfAnother(than: "111111111111"))
        #expect(!reference.isOfAnother(than: "123456789012"))
        #expect(try !ReferenceText("123456789012/app@4").isOfAnother(than: "111111111111"))
    }

    @Test(
        "that name nothing are refused with what they lack",
        arguments: [
            "web/app", "@latest", "web/@latest", "web/app@", "web/app@sha256:xyz", "web/app@sha256:12", "a@1:!b",
        ])
    func refused(_ text: String) {
        let error = #expect(throws: ReferenceError.self) { try ReferenceText(text) }
        #expect(error?.description.contains(text) == true)
    }
}
