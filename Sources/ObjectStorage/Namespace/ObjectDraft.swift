import ArtifactStore
import Foundation

/// Everything a new row of `object_versions` needs that the namespace does not decide itself.
struct ObjectDraft: Sendable {
    var key: String
    var size: Int64 = 0
    var etag = ""
    var isDeleteMarker = false
    var metadata = ObjectMetadata()
    var tags: [ObjectTag] = []
    var checksum: ObjectChecksum?
    var encryption = ObjectEncryption.managed
    var storageClass = "STANDARD"
    var owner: String
    /// The store version with the bytes; `nil` for delete markers and objects in segments.
    var content: VersionID?
    /// Whether the store version lives and dies with the objects that refer to it.
    var ownsContent = true
    var presentation = ObjectPresentation.bytes
    /// The pieces of an object uploaded in parts, in order.
    var segments: [Segment] = []
    /// The upload that made the object, so that a repeated completion finds it.
    var upload: String?

    /// One piece of an object.
    struct Segment: Sendable {
        var part: Int
        var size: Int64
        var content: VersionID
        var owned: Bool
        var presentation: ObjectPresentation
        var checksum: String?
    }
}
