import Foundation
import PipelineModel

/// Opaque tokens for the next page, bound to the operation and its filters.
enum PagingToken {
    /// The position in a token.
    ///
    /// - Throws: InvalidNextTokenException for a token that is malformed or belongs to another request.
    static func open(_ token: String?, _ binding: String) throws(PipelineError) -> String? {
        guard let token else { return nil }
        let prefix = binding + "\u{1}"
        guard token.utf8.count <= 2048, let data = Data(base64Encoded: token),
            let text = String(data: data, encoding: .utf8), text.hasPrefix(prefix)
        else {
            throw PipelineError(
                .invalidNextToken, "The nextToken is not valid here: use it unchanged, with the request that gave it")
        }
        return String(text.dropFirst(prefix.count))
    }

    /// The same for numeric positions.
    static func openNumber(_ token: String?, _ binding: String) throws(PipelineError) -> Int64? {
        guard let text = try open(token, binding) else { return nil }
        guard let number = Int64(text) else {
            throw PipelineError(.invalidNextToken, "The nextToken is not valid here")
        }
        return number
    }

    /// A page of at most `size` of the rows, which hold one more when there is a next page.
    static func page<T: Sendable>(_ rows: [T], _ size: Int, _ binding: String, _ position: (T) -> String) -> Page<T> {
        guard rows.count > size, size > 0 else { return Page(items: rows, nextToken: nil) }
        let items = Array(rows.prefix(size))
        let last = items.last.map(position) ?? ""
        return Page(items: items, nextToken: Data((binding + "\u{1}" + last).utf8).base64EncodedString())
    }
}

extension Page {
    /// The page with its elements changed.
    public func map<T: Sendable>(_ transform: (Element) throws -> T) rethrows -> Page<T> {
        Page<T>(items: try items.map(transform), nextToken: nextToken)
    }
}
