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
        try validate(tags, atMost: objectTagsMax)
        return tags
    }

    /// The tags of a `Tagging` document.
    static func document(_ body: [UInt8], ofBucket: Bool = false) throws(AWSError) -> [ObjectTag] {
        let root = try XMLParser.parse(body, root: "Tagging")
        guard let set = root.child("TagSet") else { throw S3Error.malformedXML("TagSet") }
        let tags = set.children("Tag").map { ObjectTag(key: $0.value("Key") ?? "", value: $0.value("Value") ?? "") }
        try validate(tags, atMost: ofBucket ? bucketTagsMax : objectTagsMax)
        return tags
    }

    private static func validate(_ tags: [ObjectTag], atMost limit: Int) throws(AWSError) {
        guard tags.count <= limit else {
            throw AWSError("BadRequest", "Object tags cannot be greater than \(limit)", httpStatus: 400)
        }
        guard Set(tags.map(\.key)).count == tags.count else {
            throw AWSError("InvalidTag", "Cannot provide multiple Tags with the same key")
        }
        for tag in tags {
            guard (1...128).contains(tag.key.unicodeScalars.count) else {
                throw AWSError(
                    "InvalidTag", "The TagKey you have provided is invalid: it takes 1 to 128 characters",
                    fields: [("TagKey", tag.key)])
            }
            guard tag.value.unicodeScalars.count <= 256 else {
                throw AWSError(
                    "InvalidTag", "The TagValue you have provided is invalid: it takes at most 256 characters",
                    fields: [("TagKey", tag.key), ("TagValue", tag.value)])
            }
            guard !tag.key.hasPrefix("aws:") else {
                throw AWSError("InvalidTag", "System tags cannot be added/updated by requester")
            }
        }
    }
}
