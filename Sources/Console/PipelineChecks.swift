import Foundation
import PipelineModel

/// Reading and checking declarations as people keep them in files.
package enum PipelineChecks {
    /// The declaration in some JSON: the declaration itself, or the whole answer of `aws codepipeline get-pipeline`.
    static func declaration(_ bytes: [UInt8]) throws(PipelineError) -> PipelineDeclaration {
        struct Wrapped: Decodable { var pipeline: PipelineDeclaration }
        let data = Data(bytes)
        let decoder = JSONDecoder()
        do {
            let members = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            if members?["pipeline"] is [String: Any] { return try decoder.decode(Wrapped.self, from: data).pipeline }
            return try decoder.decode(PipelineDeclaration.self, from: data)
        } catch let error as DecodingError {
            throw PipelineError(error)
        } catch {
            throw PipelineError(.serialization, "the declaration is not JSON: \(error.localizedDescription)")
        }
    }

    /// Keys whose names mean something else to a role of another account: the usual cause of an access that is denied there.
    private static func warnings(_ declaration: PipelineDeclaration) -> [String] {
        func account(_ arn: String) -> Substring? {
            let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            return parts.count == 6 ? parts[4] : nil
        }
        let actions = declaration.stages.flatMap(\.actions)
        let own = account(declaration.roleArn)
        let foreign = actions.filter { $0.roleArn.map { account($0) != own } ?? false }.map(\.name)
        guard let first = foreign.first else { return [] }
        let stores = [declaration.artifactStore].compactMap { $0 } + Array((declaration.artifactStores ?? [:]).values)
        let names = Set(stores.compactMap { $0.encryptionKey?.id }).filter { !$0.contains(":key/") }
        return names.sorted().map { name in
            "the encryption key \(name) is no key's ARN, and action \(first) acts under a role of another account, in which "
                + "the name means something else or nothing: name the key by its ARN"
        }
    }

    /// What is wrong with a declaration, as far as that can be told without a server.
    package static func validate(_ bytes: [UInt8]) -> ValidationAnswer {
        var name = ""
        do {
            let declaration = try declaration(bytes)
            name = declaration.name
            try declaration.validateShape()
            _ = try declaration.validated(in: ValidationContext(region: "us-east-1"))
            return ValidationAnswer(name: name, problems: [], warnings: warnings(declaration))
        } catch {
            return ValidationAnswer(
                name: name, problems: [ErrorAnswer(code: error.code.rawValue, message: error.message)])
        }
    }
}
