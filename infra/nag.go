package infra

import (
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// accept suppresses a rule of cdk-nag's AwsSolutions for one resource, with a reason. findings
// narrows that to some of the rule's findings, each given literally or as a /regular expression/g.
func accept(on constructs.IConstruct, rule, reason string, findings ...string) {
	suppression := &cdknag.NagPackSuppression{Id: &rule, Reason: &reason}

	if len(findings) > 0 {
		var applies []any

		for _, finding := range findings {
			if strings.HasPrefix(finding, "/") {
				applies = append(applies, &cdknag.RegexAppliesTo{Regex: &finding})
				continue
			}

			applies = append(applies, finding)
		}

		suppression.AppliesTo = &applies
	}

	// the resource itself, without its construct's other children
	if child := on.Node().DefaultChild(); child != nil {
		on = child
	}

	cdknag.NagSuppressions_AddResourceSuppressions(on, &[]*cdknag.NagPackSuppression{suppression},
		jsii.Bool(false))
}
