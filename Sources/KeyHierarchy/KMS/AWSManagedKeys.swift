import Catalog
import Cryptography
import Foundation

/// Keys that services use on an account's behalf: `alias/aws/s3` and the like, made on first use.
enum AWSManagedKeys {
    static func isPredefined(_ alias: String) -> Bool {
        guard alias.hasPrefix("alias/aws/") else { return false }
        return services.contains(String(alias.dropFirst("alias/aws/".count)))
    }

    /// Services with a predefined alias.
    static let services: Set<String> = [
        "acm", "codecommit", "codebuild", "codepipeline", "dynamodb", "ebs", "ecr", "lambda", "rds", "s3",
        "secretsmanager", "sns", "sqs", "ssm", "xray",
    ]

    static func make(
        _ alias: String, _ scope: AccountRegion, _ state: Unsealed, _ now: Date, _ transaction: Transaction
    ) throws -> KMSKey {
        let service = String(alias.dropFirst("alias/aws/".count))
        let milliseconds = Int64(now.timeIntervalSince1970 * 1000)
        var key = KMSKey(
            keyID: SecureRandom.uuid(), scope: scope, spec: "SYMMETRIC_DEFAULT", usage: "ENCRYPT_DECRYPT",
            origin: "AWS_KMS", manager: "AWS", state: .enabled,
            description:
                "Default key that protects my \(service == "s3" ? "S3 objects" : "\(service) data") when no other "
                + "key is defined",
            createdAt: milliseconds, policy: policy(service, scope))
        key.rotationEnabled = true
        key.rotationPeriodDays = 365
        key.nextRotationAt = milliseconds + 365 * 86_400_000
        try SymmetricMaterial.addFirst(to: &key, state, now, transaction)
        try state.records.save(key, action: "create", transaction)
        try state.records.save(
            KMSAlias(
                name: alias, scope: scope, targetKeyID: key.keyID, createdAt: milliseconds, updatedAt: milliseconds),
            action: "create", transaction)
        return key
    }

    private static func policy(_ service: String, _ scope: AccountRegion) -> String {
        """
        {
          "Version" : "2012-10-17",
          "Id" : "auto-\(service)-1",
          "Statement" : [ {
            "Sid" : "Allow access through the service for all principals in the account that are authorized to use it",
            "Effect" : "Allow",
            "Principal" : { "AWS" : "*" },
            "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
            "Resource" : "*",
            "Condition" : {
              "StringEquals" : {
                "kms:ViaService" : "\(service).\(scope.region).amazonaws.com",
                "kms:CallerAccount" : "\(scope.account)"
              }
            }
          }, {
            "Sid" : "Allow direct access to key metadata to the account",
            "Effect" : "Allow",
            "Principal" : { "AWS" : "arn:\(scope.partition):iam::\(scope.account):root" },
            "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
            "Resource" : "*"
          } ]
        }
        """
    }
}

/// Material of symmetric keys.
enum SymmetricMaterial {
    /// Makes version 1 and marks it current. The caller saves the key in the same transaction.
    static func addFirst(to key: inout KMSKey, _ state: Unsealed, _ now: Date, _ transaction: Transaction) throws {
        let secret = SecretBytes.random(count: 32)
        try BackingKeys.store(
            secret, key.scope, key.keyID, version: 1, spec: key.spec, state.root, now, transaction)
        key.materials = [
            KMSKeyMaterial(
                version: 1, materialID: Hex.encode(CiphertextBlob.materialID(of: secret, keyUUID: key.uuid)),
                state: "CURRENT")
        ]
    }
}
