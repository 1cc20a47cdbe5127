/// The built-in action types, after the action structure reference of the CodePipeline user guide.
enum BuiltInActionTypes {
    static let rows: [ActionTypeRow] = sources + builds + deployments + invocations

    private static let sources: [ActionTypeRow] = [
        .init(
            .source, "S3", in: (0, 0), out: (1, 1),
            "S3Bucket* S3ObjectKey* PollForSourceChanges AllowOverrideForS3ObjectKey"),
        .init(
            .source, "CodeCommit", in: (0, 0), out: (1, 1),
            "RepositoryName* BranchName* PollForSourceChanges OutputArtifactFormat"),
        .init(.source, "ECR", in: (0, 0), out: (1, 1), "RepositoryName* ImageTag"),
        .init(
            .source, "CodeStarSourceConnection", in: (0, 0), out: (1, 1),
            "ConnectionArn* FullRepositoryId* BranchName* OutputArtifactFormat DetectChanges"),
        .init(
            .source, "GitHub", in: (0, 0), out: (1, 1), owner: .thirdParty,
            "Owner* Repo* Branch* OAuthToken*! PollForSourceChanges"),
        .init(.source, "Coffer", in: (0, 0), out: (1, 1), owner: .thirdParty, "Artifact* PollForSourceChanges"),
    ]

    private static let codeBuildKeys = """
        ProjectName* PrimarySource BatchEnabled CombineArtifacts EnvironmentVariables BuildspecOverride \
        ServiceRoleArnOverride
        """

    private static let builds: [ActionTypeRow] = [
        .init(.build, "CodeBuild", in: (1, 5), out: (0, 5), codeBuildKeys),
        .init(.test, "CodeBuild", in: (1, 5), out: (0, 5), codeBuildKeys),
        .init(
            .build, "ECRBuildAndPublish", in: (1, 1), out: (0, 0), needsV2: true,
            "ECRRepositoryName* DockerFilePath ImageTags RegistryType"),
        .init(
            .compute, "Commands", in: (1, 10), out: (0, 1), needsV2: true,
            "EnvironmentType ComputeType VpcId Subnets SecurityGroupIds"),
        .init(
            .test, "DeviceFarm", in: (1, 1), out: (0, 0),
            """
            AppType* ProjectId* App* AppiumVersion* DevicePoolArn* TestType* Test RadioBluetoothEnabled \
            RadioWifiEnabled RadioNfcEnabled RadioGpsEnabled RecordAppPerformanceData RecordVideo FuzzEventCount \
            FuzzEventThrottle FuzzRandomizerSeed CustomHostMachineArtifacts CustomDeviceArtifacts \
            UnmeteredDevicesOnly JobTimeoutMinutes Latitude Longitude
            """),
    ]

    private static let deployments: [ActionTypeRow] = [
        .init(
            .deploy, "S3", in: (1, 1), out: (0, 0),
            "BucketName* Extract* ObjectKey KMSEncryptionKeyARN CannedACL CacheControl"),
        .init(
            .deploy, "CloudFormation", in: (0, 10), out: (0, 1),
            """
            ActionMode* StackName* ChangeSetName TemplatePath RoleArn Capabilities TemplateConfiguration \
            ParameterOverrides OutputFileName
            """),
        .init(
            .deploy, "CloudFormationStackSet", in: (1, 3), out: (0, 0),
            """
            StackSetName* TemplatePath* Description Parameters Capabilities PermissionModel AdministrationRoleArn \
            ExecutionRoleName OrganizationsAutoDeployment DeploymentTargets Regions FailureTolerancePercentage \
            MaxConcurrentPercentage CallAs
            """),
        .init(
            .deploy, "CloudFormationStackInstances", in: (0, 2), out: (0, 0),
            """
            StackSetName* Regions* DeploymentTargets ParameterOverrides FailureTolerancePercentage \
            MaxConcurrentPercentage
            """),
        .init(.deploy, "CodeDeploy", in: (1, 1), out: (0, 0), "ApplicationName* DeploymentGroupName*"),
        .init(
            .deploy, "CodeDeployToECS", in: (1, 5), out: (0, 0),
            """
            ApplicationName* DeploymentGroupName* TaskDefinitionTemplateArtifact* AppSpecTemplateArtifact* \
            TaskDefinitionTemplatePath AppSpecTemplatePath Image1ArtifactName Image1ContainerName Image2ArtifactName \
            Image2ContainerName Image3ArtifactName Image3ContainerName Image4ArtifactName Image4ContainerName
            """),
        .init(.deploy, "ECS", in: (1, 1), out: (0, 0), "ClusterName* ServiceName* FileName DeploymentTimeout"),
        .init(.deploy, "ElasticBeanstalk", in: (1, 1), out: (0, 0), "ApplicationName* EnvironmentName*"),
        .init(
            .deploy, "AppConfig", in: (1, 1), out: (0, 0),
            "Application* Environment* ConfigurationProfile* InputArtifactConfigurationPath* DeploymentStrategy"),
        .init(
            .deploy, "ServiceCatalog", in: (1, 1), out: (0, 0),
            """
            ProductId* ConfigurationFilePath TemplateFilePath ProductVersionName ProductType ProductVersionDescription
            """),
        .init(
            .deploy, "EC2", in: (1, 1), out: (0, 0), needsV2: true,
            """
            InstanceTagKey* InstanceTagValue InstanceType* DeploySpec TargetDirectory PostScript PreScript MaxBatch \
            MaxError TargetGroupNameList
            """),
        .init(
            .deploy, "EKS", in: (1, 1), out: (0, 0), needsV2: true,
            """
            ClusterName* ManifestFiles HelmReleaseName HelmChartLocation HelmValuesFiles Namespace Subnets \
            SecurityGroupIds
            """),
        .init(
            .deploy, "Lambda", in: (0, 1), out: (0, 0), needsV2: true,
            "FunctionName* FunctionAlias PublishedTargetVersion DeployStrategy Alarms"),
        .init(.deploy, "OpsWorks", in: (1, 1), out: (0, 0), "Stack* Layer App*"),
        .init(
            .deploy, "AlexaSkillsKit", in: (1, 2), out: (0, 0), owner: .thirdParty,
            "ClientId* ClientSecret*! RefreshToken*! SkillId*"),
    ]

    private static let invocations: [ActionTypeRow] = [
        .init(.invoke, "Lambda", in: (0, 5), out: (0, 5), "FunctionName* UserParameters"),
        .init(
            .invoke, "StepFunctions", in: (0, 1), out: (0, 1), "StateMachineArn* ExecutionNamePrefix InputType Input"),
        .init(
            .invoke, "CodePipeline", in: (0, 0), out: (0, 0), needsV2: true, "PipelineName* SourceRevisions Variables"),
        .init(
            .invoke, "InspectorScan", in: (0, 1), out: (1, 1),
            "InspectorRunMode* ECRRepositoryName ImageTag CriticalThreshold HighThreshold MediumThreshold LowThreshold"
        ),
        .init(.invoke, "Snyk", in: (1, 1), out: (1, 1), owner: .thirdParty, ""),
        .init(.approval, "Manual", in: (0, 0), out: (0, 0), "NotificationArn ExternalEntityLink CustomData"),
    ]
}
