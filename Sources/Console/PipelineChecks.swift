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

    /// What is wrong with a declaration, as far as that can be told without a server.
    package static func validate(_ bytes: [UInt8]) -> ValidationAnswer {
        var name = ""
        do {
            let declaration = try declaration(bytes)
            name = declaration.name
            try declaration.validateShape()
            _ = try declaration.validated(in: ValidationContext(region: "us-east-1"))
            return ValidationAnswer(name: name, problems: [])
        } catch {
            return ValidationAnswer(
                name: name, problems: [ErrorAnswer(code: error.code.rawValue, message: error.message)])
        }
    }
}
