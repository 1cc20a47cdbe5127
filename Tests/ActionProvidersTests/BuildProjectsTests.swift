import Testing

@testable import ActionProviders

@Suite struct BuildProjectsTests {
    @Test("A project is kept, replaced, listed and removed")
    func life() async throws {
        let bench = try await Bench()
        let project = BuildProject(
            name: "demo", buildspec: "version: 0.2\nphases: {build: {commands: [make]}}",
            environment: [BuildVariable(name: "A", value: "1")], timeoutMinutes: 5)
        try await bench.projects.put(project, in: testScope)
        #expect(try await bench.projects.project("demo", in: testScope) == project)
        #expect(try await bench.projects.begin("demo", in: testScope).buildNumber == 1)
        var changed = project
        changed.timeoutMinutes = 10
        try await bench.projects.put(changed, in: testScope)
        let (found, number) = try await bench.projects.begin("demo", in: testScope)
        #expect(found == changed && number == 2, "a change does not start the numbers anew")
        #expect(try await bench.projects.projects(in: testScope).map(\.name) == ["demo"])
        try await bench.projects.remove("demo", in: testScope)
        let error = await #expect(throws: ProviderError.self) { try await bench.projects.remove("demo", in: testScope) }
        #expect(error?.code == "ResourceNotFoundException")
    }

    @Test("A project that nobody made is made on first use")
    func firstUse() async throws {
        let bench = try await Bench()
        let (project, number) = try await bench.projects.begin("new-one", in: testScope)
        #expect(project.buildspec == nil && project.timeoutMinutes == 60 && number == 1)
        #expect(try await bench.projects.projects(in: testScope).count == 1)
    }

    @Test(
        "A project that cannot work is refused",
        arguments: [
            BuildProject(name: "-x"), BuildProject(name: "a b"), BuildProject(name: ""),
            BuildProject(name: "x", timeoutMinutes: 0), BuildProject(name: "x", timeoutMinutes: 2161),
            BuildProject(name: "x", environment: [BuildVariable(name: "A-B", value: "")]),
            BuildProject(name: "x", environment: [BuildVariable(name: "CODEBUILD_X", value: "")]),
            BuildProject(name: "x", buildspec: "version: 9\n"),
        ])
    func refusals(project: BuildProject) async throws {
        let bench = try await Bench()
        let error = await #expect(throws: ProviderError.self) { try await bench.projects.put(project, in: testScope) }
        #expect(error?.code == "InvalidInputException")
    }
}
