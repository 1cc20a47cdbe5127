import Testing

@testable import Console

@Suite("Checks of pipeline declarations")
struct PipelineChecksTests {
    private func declaration(key: String, role: String?) -> [UInt8] {
        let acting = role.map { ",\"roleArn\":\"\($0)\"" } ?? ""
        return Array(
            """
            {"name": "p", "roleArn": "arn:aws:iam::111111111111:role/p",
             "artifactStore": {"type": "S3", "location": "bucket", "encryptionKey": {"id": "\(key)", "type": "KMS"}},
             "stages": [
               {"name": "Source", "actions": [{"name": "Get",
                 "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
                 "configuration": {"S3Bucket": "b", "S3ObjectKey": "k"}, "outputArtifacts": [{"name": "a"}]}]},
               {"name": "Deploy", "actions": [{"name": "Put"\(acting),
                 "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"},
                 "configuration": {"BucketName": "b", "Extract": "true"}, "inputArtifacts": [{"name": "a"}]}]}]}
            """.utf8)
    }

    @Test(
        "warn of keys that another account's role does not know by that name",
        arguments: [
            ("alias/mine", "arn:aws:iam::222222222222:role/d", true),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:iam::222222222222:role/d", true),
            ("arn:aws:kms:us-east-1:111111111111:alias/mine", "arn:aws:iam::222222222222:role/d", true),
            ("arn:aws:kms:us-east-1:111111111111:key/1234abcd", "arn:aws:iam::222222222222:role/d", false),
            ("alias/mine", "arn:aws:iam::111111111111:role/d", false), ("alias/mine", nil, false),
        ] as [(String, String?, Bool)])
    func foreignRoles(_ key: String, _ role: String?, _ warns: Bool) {
        let answer = PipelineChecks.validate(declaration(key: key, role: role))
        #expect(answer.problems.isEmpty, "\(answer.problems)")
        #expect(answer.warnings.count == (warns ? 1 : 0))
        if warns { #expect(answer.warnings.first?.contains("Put") == true) }
    }
}
