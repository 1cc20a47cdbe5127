import AWSProtocol
import ObjectStorage

/// Tags in headers and documents.
enum Tags {
    private static let objectTagsMax = 10
    private static let bucketTagsMax = 50

    /// The tags of `x-amz-tagging`, written as a query.
    static func header(_ request: S3Request) throws(AWSError) -> [ObjectTag] {
        guard let text = request.header("x-amz-tagging"), !text.isEmpty else { return [] }
        let tags = PercentCoding.formItems(text).map { ObjectTag(key: $0.name, value: $0.value) }
        guard tags.allSatisfy({ !$0.key.hasPrefix("aws:") }) else {
            throw AWSError("InvalidTag", "Your TagKey cannot be prefixed with aws:")
        }
        guard Set(tags.map(\.key)).count == tags.count, tags.allSatisfy({ isPlain($0.key) && isPlain($0.value) }) else {
            throw S3Error.invalidArgument(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
                    + "name duplicates.", name: "x-amz-tagging", value: text)
        }
        try validate(tags, ofBucket: false)
        return tags
    }

    /// The tags of a `Tagging` document.
    static func document(_ body: [UInt8], ofBucket: Bool = false) throws(AWSError) -> [ObjectTag] {
        let root = try XMLParser.parse(body, root: "Tagging")
        let tags = (root.child("TagSet")?.children("Tag") ?? []).map {
            ObjectTag(key: $0.value("Key") ?? "", value: $0.value("Value") ?? "")
        }
        try validate(tags, ofBucket: ofBucket)
        return tags
    }

    /// Whether a text has only what tags may have: letters, digits, spaces and a few signs.
    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .letterNumber, .otherNumber, .spaceSeparator, .lineSeparator, .paragraphSeparator:
                true
            default: "_.:/=+-@".unicodeScalars.contains(scalar)
            }
        }
    }

    private static func validate(_ tags: [ObjectTag], ofBucket: Bool) throws(AWSError) {
        let limit = ofBucket ? bucketTagsMax : objectTagsMax
        guard tags.count <= limit else {
            throw AWSError("BadRequest", "Object tags cannot be greater than \(limit)", httpStatus: 400)
        }
        var seen: Set<String> = []
        for tag in tags {
            guard seen.insert(tag.key).inserted else {
                throw AWSError(
                    "InvalidTag", "Cannot provide multiple Tags with the same key", fields: [("TagKey", tag.key)])
            }
            guard !tag.key.hasPrefix("aws:") else {
                throw AWSError(
                    "InvalidTag",
                    ofBucket
                        ? "System tags cannot be added/updated by requester"
                        : "Your TagKey cannot be prefixed with aws:",
                    fields: [("TagKey", tag.key)])
            }
            guard (1...128).contains(tag.key.unicodeScalars.count), isPlain(tag.key) else {
                throw AWSError("InvalidTag", "The TagKey you have provided is invalid", fields: [("TagKey", tag.key)])
            }
            guard tag.value.unicodeScalars.count <= 256, isPlain(tag.value) else {
                throw AWSError(
                    "InvalidTag", "The TagValue you have provided is invalid",
                    fields: [("TagKey", tag.key), ("TagValue", tag.value)])
            }
        }
    }
}
