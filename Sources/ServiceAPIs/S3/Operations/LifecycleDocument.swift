import AWSProtocol
import Foundation
import Logging
import ObjectStorage

/// Reads the rules of a `LifecycleConfiguration`.
enum LifecycleDocument {
    /// The enabled rules of a document. Transitions between storage classes are no rules here: there is one class.
    static func rules(_ body: [UInt8]) throws(AWSError) -> [LifecycleRule] {
        var rules: [LifecycleRule] = []
        for element in try XMLParser.parse(body, root: "LifecycleConfiguration").children("Rule")
        where element.value("Status") == "Enabled" {
            rules.append(try rule(element))
        }
        return rules
    }

    /// One rule. Throws `MalformedXML` or `InvalidArgument` for values that S3 refuses.
    static func rule(_ element: XMLElement) throws(AWSError) -> LifecycleRule {
        try checkShape(element)
        var rule = LifecycleRule()
        rule.prefix = element.value("Prefix") ?? ""
        if let filter = element.child("Filter") {
            // `And` holds what a filter without it may hold one of.
            let conditions = filter.child("And") ?? filter
            rule.prefix = conditions.value("Prefix") ?? rule.prefix
            rule.tags = conditions.children("Tag").map {
                ObjectTag(key: $0.value("Key") ?? "", value: $0.value("Value") ?? "")
            }
            rule.sizeGreaterThan = try number(conditions, "ObjectSizeGreaterThan", atLeast: 0)
            rule.sizeLessThan = try number(conditions, "ObjectSizeLessThan", atLeast: 1)
        }
        if let expiration = element.child("Expiration") {
            rule.expirationDays = try number(expiration, "Days", atLeast: 1).map { Int($0) }
            rule.expirationDate = try date(expiration.value("Date"))
            rule.removesLoneMarkers = expiration.value("ExpiredObjectDeleteMarker") == "true"
        }
        if let noncurrent = element.child("NoncurrentVersionExpiration") {
            rule.noncurrentDays = try number(noncurrent, "NoncurrentDays", atLeast: 1).map { Int($0) }
            rule.newerNoncurrentVersions = Int(try number(noncurrent, "NewerNoncurrentVersions", atLeast: 1) ?? 0)
        }
        if let abort = element.child("AbortIncompleteMultipartUpload") {
            rule.abortUploadDays = try number(abort, "DaysAfterInitiation", atLeast: 1).map { Int($0) }
        }
        return rule
    }

    /// Refuses what could be read in two ways: with the wrong one, things would be deleted that should stay.
    private static func checkShape(_ element: XMLElement) throws(AWSError) {
        if let filter = element.child("Filter") {
            guard element.child("Prefix") == nil, filter.children.count <= 1 else {
                throw S3Error.malformedXML("Filter")
            }
        }
        if let expiration = element.child("Expiration"), expiration.children.count != 1 {
            throw S3Error.malformedXML("Expiration")
        }
        for transition in element.children("NoncurrentVersionTransition") {
            guard transition.child("NoncurrentDays") != nil, transition.child("StorageClass") != nil else {
                throw S3Error.malformedXML("NoncurrentVersionTransition")
            }
        }
    }

    private static func number(_ element: XMLElement, _ name: String, atLeast least: Int64) throws(AWSError) -> Int64? {
        guard let text = element.value(name) else { return nil }
        guard let value = Int64(text), value >= least, value <= 1 << 50 else {
            throw S3Error.invalidArgument("'\(name)' must be a whole number of at least \(least)")
        }
        return value
    }

    private static func date(_ text: String?) throws(AWSError) -> Date? {
        guard let text else { return nil }
        let parts = text.prefix(10).split(separator: "-")
        guard parts.count == 3, let time = S3Date.midnight(parts.map { Int($0) ?? 0 }) else {
            throw S3Error.invalidArgument("'Date' must be at midnight GMT, such as 2030-01-01T00:00:00Z")
        }
        return time
    }
}

extension S3Front {
    /// Applies the lifecycle rules of every bucket once: expires objects and old versions, aborts stale uploads. To be
    /// called now and then; a bucket whose rules fail does not keep the others from theirs.
    public func applyLifecycles() async {
        do {
            for (bucket, document) in try await objects.buckets(with: .lifecycle) {
                do {
                    let outcome = try await objects.applyLifecycle(try LifecycleDocument.rules(document), to: bucket)
                    guard outcome.didSomething else { continue }
                    logger.info(
                        "lifecycle rules were applied",
                        metadata: [
                            "bucket": "\(bucket)", "expired": "\(outcome.expired)",
                            "versions": "\(outcome.deletedVersions)", "uploads": "\(outcome.abortedUploads)",
                        ])
                } catch {
                    logger.error("lifecycle rules failed", metadata: ["bucket": "\(bucket)", "error": "\(error)"])
                }
            }
        } catch {
            logger.error("lifecycle rules could not be read", metadata: ["error": "\(error)"])
        }
    }
}
