/// A Git event that starts executions (V2).
public struct TriggerDeclaration: Sendable, Hashable, Codable {
    /// Always `CodeStarSourceConnection`.
    public var providerType: String
    /// Which events.
    public var gitConfiguration: GitConfiguration
    /// Declares a trigger.
    public init(providerType: String = "CodeStarSourceConnection", gitConfiguration: GitConfiguration) {
        self.providerType = providerType
        self.gitConfiguration = gitConfiguration
    }
}

/// The events of one source action that start executions.
public struct GitConfiguration: Sendable, Hashable, Codable {
    /// The source action.
    public var sourceActionName: String
    /// Any one filter that matches a push starts an execution.
    public var push: [GitPushFilter]?
    /// Any one filter that matches a pull request starts an execution.
    public var pullRequest: [GitPullRequestFilter]?
    /// Declares the events.
    public init(sourceActionName: String, push: [GitPushFilter]? = nil, pullRequest: [GitPullRequestFilter]? = nil) {
        self.sourceActionName = sourceActionName
        self.push = push
        self.pullRequest = pullRequest
    }
}

/// Matches a push when all of its members match.
public struct GitPushFilter: Sendable, Hashable, Codable {
    /// Tags pushed.
    public var tags: GitPatterns?
    /// Branches pushed.
    public var branches: GitPatterns?
    /// Files changed.
    public var filePaths: GitPatterns?
    /// Declares a filter.
    public init(tags: GitPatterns? = nil, branches: GitPatterns? = nil, filePaths: GitPatterns? = nil) {
        self.tags = tags
        self.branches = branches
        self.filePaths = filePaths
    }
}

/// Matches a pull request when all of its members match.
public struct GitPullRequestFilter: Sendable, Hashable, Codable {
    /// OPEN, UPDATED, CLOSED.
    public var events: [String]?
    /// Destination branches.
    public var branches: GitPatterns?
    /// Files changed.
    public var filePaths: GitPatterns?
    /// Declares a filter.
    public init(events: [String]? = nil, branches: GitPatterns? = nil, filePaths: GitPatterns? = nil) {
        self.events = events
        self.branches = branches
        self.filePaths = filePaths
    }
}

/// Glob patterns: a name matches when an include matches (or there are none) and no exclude does.
public struct GitPatterns: Sendable, Hashable, Codable {
    /// At least one must match, when given.
    public var includes: [String]?
    /// None may match.
    public var excludes: [String]?
    /// Declares patterns.
    public init(includes: [String]? = nil, excludes: [String]? = nil) {
        self.includes = includes
        self.excludes = excludes
    }
}
