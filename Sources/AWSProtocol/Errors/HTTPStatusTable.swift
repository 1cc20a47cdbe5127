/// The one table from error code to HTTP status. A code that is not listed has the dialect's default: 400.
public enum HTTPStatusTable {
    /// The status with which a dialect sends an error code.
    public static func status(of code: String, in dialect: Dialect) -> Int {
        if let status = everywhere[code] { return status }
        switch dialect {
        case .json: return 400
        case .restJSON: return restJSON[code] ?? 400
        case .query: return query[code] ?? 400
        case .restXML: return restXML[code] ?? 400
        }
    }

    private static let everywhere: [String: Int] = [
        "InternalFailure": 500, "InternalError": 500, "InternalServerError": 500, "InternalServiceError": 500,
        "KMSInternalException": 500, "ServiceUnavailable": 503, "ServiceUnavailableException": 503, "SlowDown": 503,
        "DependencyTimeoutException": 503, "KeyUnavailableException": 500, "RequestEntityTooLarge": 413,
        "NotImplemented": 501,
    ]

    private static let restJSON: [String: Int] = [
        "AccessDeniedException": 403, "MissingAuthenticationTokenException": 403, "UnrecognizedClientException": 403,
        "InvalidSignatureException": 403, "ExpiredTokenException": 403, "IncompleteSignatureException": 400,
        "ResourceNotFoundException": 404, "NotFoundException": 404, "ConflictException": 409,
        "TooManyRequestsException": 429, "PreconditionFailedException": 412, "MethodNotAllowedException": 405,
    ]

    private static let query: [String: Int] = [
        "MissingAuthenticationToken": 403, "InvalidClientTokenId": 403, "SignatureDoesNotMatch": 403,
        "ExpiredToken": 403, "AccessDenied": 403, "OptInRequired": 403, "RequestExpired": 400,
        "NoSuchEntity": 404, "EntityAlreadyExists": 409, "DeleteConflict": 409, "LimitExceeded": 409,
        "NotFound": 404,
    ]

    private static let restXML: [String: Int] = [
        "AccessDenied": 403, "AccountProblem": 403, "AllAccessDisabled": 403, "InvalidAccessKeyId": 403,
        "InvalidObjectState": 403, "InvalidPayer": 403, "InvalidSecurity": 403, "NotSignedUp": 403,
        "RequestTimeTooSkewed": 403, "SignatureDoesNotMatch": 403, "InvalidChunkSizeError": 403,
        "CrossLocationLoggingProhibited": 403,
        "NoSuchBucket": 404, "NoSuchBucketPolicy": 404, "NoSuchCORSConfiguration": 404, "NoSuchKey": 404,
        "NoSuchLifecycleConfiguration": 404, "NoSuchTagSet": 404, "NoSuchTagSetError": 404, "NoSuchUpload": 404,
        "NoSuchVersion": 404, "NoSuchWebsiteConfiguration": 404, "ObjectLockConfigurationNotFoundError": 404,
        "OwnershipControlsNotFoundError": 404, "NoSuchPublicAccessBlockConfiguration": 404,
        "ReplicationConfigurationNotFoundError": 404, "NoSuchConfiguration": 404,
        "ServerSideEncryptionConfigurationNotFoundError": 404, "NoSuchObjectLockConfiguration": 404,
        "MethodNotAllowed": 405,
        "BucketAlreadyExists": 409, "BucketAlreadyOwnedByYou": 409, "BucketNotEmpty": 409,
        "InvalidBucketState": 409, "OperationAborted": 409, "ConditionalRequestConflict": 409,
        "MissingContentLength": 411, "PreconditionFailed": 412, "InvalidRange": 416, "NotModified": 304,
        "PermanentRedirect": 301, "Redirect": 307,
    ]
}
