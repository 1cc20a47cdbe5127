import AWSProtocol
import Cryptography
import HTTPTypes

/// The XML answers of S3.
enum S3Document {
    static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    /// An answer with a document whose root is `root`.
    static func response<Failure: Error>(
        _ root: String, status: Int = 200, _ content: (inout XMLWriter) throws(Failure) -> Void
    ) throws(Failure) -> ServiceResponse {
        var xml = XMLWriter()
        try xml.element(root, namespace: namespace, content)
        return .text(status: status, contentType: "application/xml", xml.document)
    }

    /// The id that S3 calls canonical: 64 hexadecimal digits, here derived from the account's number.
    static func canonicalID(_ account: String) -> String {
        SHA256.digest(Array("coffer/canonical-user/\(account)".utf8)).hex
    }
}

extension XMLWriter {
    /// An `Owner` or `Initiator`.
    mutating func owner(_ account: String, element name: String = "Owner") {
        element(name) { xml in
            xml.element("ID", S3Document.canonicalID(account))
            xml.element("DisplayName", account)
        }
    }

    /// Tags as S3 writes them.
    mutating func tagSet(_ tags: [(key: String, value: String)]) {
        element("TagSet") { xml in
            for tag in tags {
                xml.element("Tag") { xml in
                    xml.element("Key", tag.key)
                    xml.element("Value", tag.value)
                }
            }
        }
    }
}
