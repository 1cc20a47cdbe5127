/// Every action type a pipeline may name: the built-in table of the CodePipeline action reference, and an account's own.
public struct ActionTypeCatalogue: Sendable {
    private var types: [ActionTypeID: ActionType]
    /// All types, in the order of the table, an account's own last.
    public private(set) var all: [ActionType]

    /// The built-in types and `custom` ones.
    public init(custom: [ActionType] = []) {
        all = Self.builtInTypes + custom
        types = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The built-in types alone.
    public static let builtIn = ActionTypeCatalogue()

    /// The type of this id.
    public subscript(id: ActionTypeID) -> ActionType? { types[id] }

    private static let builtInTypes: [ActionType] = BuiltInActionTypes.rows.map(\.type)
}

/// One line of the built-in table. `keys` lists configuration keys separated by blanks: `*` marks a required one, `!` a
/// secret one.
struct ActionTypeRow {
    var category: ActionCategory
    var owner: ActionOwner = .aws
    var provider: String
    var inputs: (Int, Int)
    var outputs: (Int, Int)
    var needsV2 = false
    var keys: String

    init(
        _ category: ActionCategory, _ provider: String, in inputs: (Int, Int), out outputs: (Int, Int),
        owner: ActionOwner = .aws, needsV2: Bool = false, _ keys: String
    ) {
        self.category = category
        self.owner = owner
        self.provider = provider
        self.inputs = inputs
        self.outputs = outputs
        self.needsV2 = needsV2
        self.keys = keys
    }

    var type: ActionType {
        let properties = keys.split(whereSeparator: \.isWhitespace).map { word in
            ActionType.Property(
                name: String(word.filter { $0 != "*" && $0 != "!" }), required: word.contains("*"),
                secret: word.contains("!"), queryable: false)
        }
        return ActionType(
            id: ActionTypeID(category: category, owner: owner, provider: provider), properties: properties,
            inputs: .init(inputs.0, inputs.1), outputs: .init(outputs.0, outputs.1), needsV2: needsV2)
    }
}
