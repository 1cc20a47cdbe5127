package import Foundation

/// One version of a key between the root key and the KMS keys.
package struct KeyLayerAnswer: Codable, Sendable {
    package var layer: String
    /// The Region of a keyring, the scope of a dedup domain.
    package var name: String
    package var version: Int
    package var state: String
    package var created: Date
    /// Rows sealed under it, where they can be counted.
    package var uses: Int?
    package var unusedSince: Date?
}
