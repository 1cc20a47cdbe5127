import ArgumentParser

/// `coffer artifact …`.
struct ArtifactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifact", abstract: "Artifacts: list, look inside, fetch, put, tag and delete.",
        discussion: """
            A version is written PIPELINE[/ARTIFACT]@WHICH[:PATH[!INNER]]. WHICH is an execution number (413, attempt \
            413.2), latest, an execution id, the name of a stage ("what runs there"), a tag, or sha256:…. A version that somebody shared \
            is written share:ID[:PATH[!INNER]].
            """,
        subcommands: [
            ArtifactList.self, ArtifactLs.self, ArtifactCat.self, ArtifactGet.self, ArtifactPut.self, ArtifactTag.self,
            ArtifactDelete.self, ArtifactUndelete.self,
        ])
}

/// One version or a path in it.
struct ReferenceArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("PIPELINE[/ARTIFACT]@WHICH[:PATH[!INNER]]", valueName: "reference"))
    var reference: String

    var query: [(String, String?)] { [("ref", reference)] }
}
