import AWSProtocol
import Foundation
import KeyHierarchy

extension KMSOperations {
    /// Adds all 54 operations.
    func register(in table: inout JSONOperationTable) {
        table.on("CreateKey", createKey)
        table.on("DescribeKey", describeKey)
        table.on("ListKeys", listKeys)
        table.on("EnableKey", enableKey)
        table.on("DisableKey", disableKey)
        table.on("ScheduleKeyDeletion", scheduleKeyDeletion)
        table.on("CancelKeyDeletion", cancelKeyDeletion)
        table.on("UpdateKeyDescription", updateKeyDescription)
        table.on("TagResource", tagResource)
        table.on("UntagResource", untagResource)
        table.on("ListResourceTags", listResourceTags)
        table.on("GetKeyLastUsage", getKeyLastUsage)

        table.on("GetKeyPolicy", getKeyPolicy)
        table.on("PutKeyPolicy", putKeyPolicy)
        table.on("ListKeyPolicies", listKeyPolicies)

        table.on("CreateAlias", createAlias)
        table.on("UpdateAlias", updateAlias)
        table.on("DeleteAlias", deleteAlias)
        table.on("ListAliases", listAliases)

        table.on("CreateGrant", createGrant)
        table.on("ListGrants", listGrants)
        table.on("ListRetirableGrants", listRetirableGrants)
        table.on("RetireGrant", retireGrant)
        table.on("RevokeGrant", revokeGrant)

        table.on("EnableKeyRotation", enableKeyRotation)
        table.on("DisableKeyRotation", disableKeyRotation)
        table.on("GetKeyRotationStatus", getKeyRotationStatus)
        table.on("ListKeyRotations", listKeyRotations)
        table.on("RotateKeyOnDemand", rotateKeyOnDemand)

        table.on("GetParametersForImport", getParametersForImport)
        table.on("ImportKeyMaterial", importKeyMaterial)
        table.on("DeleteImportedKeyMaterial", deleteImportedKeyMaterial)

        table.on("ReplicateKey", replicateKey)
        table.on("UpdatePrimaryRegion", updatePrimaryRegion)

        table.on("Encrypt", encrypt)
        table.on("Decrypt", decrypt)
        table.on("ReEncrypt", reEncrypt)
        table.on("GenerateDataKey", generateDataKey)
        table.on("GenerateDataKeyWithoutPlaintext", generateDataKeyWithoutPlaintext)
        table.on("GenerateDataKeyPair", generateDataKeyPair)
        table.on("GenerateDataKeyPairWithoutPlaintext", generateDataKeyPairWithoutPlaintext)
        table.on("GenerateRandom", generateRandom)
        table.on("GenerateMac", generateMac)
        table.on("VerifyMac", verifyMac)
        table.on("Sign", sign)
        table.on("Verify", verify)
        table.on("GetPublicKey", getPublicKey)
        table.on("DeriveSharedSecret", deriveSharedSecret)

        table.on("DescribeCustomKeyStores", describeCustomKeyStores)
        table.on("CreateCustomKeyStore", createCustomKeyStore)
        table.on("ConnectCustomKeyStore", missingKeyStore)
        table.on("DisconnectCustomKeyStore", missingKeyStore)
        table.on("UpdateCustomKeyStore", missingKeyStore)
        table.on("DeleteCustomKeyStore", missingKeyStore)
    }
}
