package render

import "strings"

// blogPosting is a thread in the words of schema.org, as JSON-LD 1.1. The
// template engine writes it into the page, where no text can end the script.
type blogPosting struct {
	Context   string  `json:"@context"`
	Type      string  `json:"@type"`
	URL       string  `json:"url"`
	Page      string  `json:"mainEntityOfPage,omitempty"`
	Headline  string  `json:"headline,omitempty"`
	Name      string  `json:"name,omitempty"`
	About     string  `json:"description,omitempty"`
	Language  string  `json:"inLanguage"`
	Published string  `json:"datePublished,omitempty"`
	Modified  string  `json:"dateModified,omitempty"`
	Image     string  `json:"image,omitempty"`
	Keywords  string  `json:"keywords,omitempty"`
	Author    *author `json:"author,omitempty"`
}

type author struct {
	Type string `json:"@type"`
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
}

func newAuthor(name, url string) *author {
	if name == "" {
		return nil
	}
	return &author{"Person", name, url}
}

// posting is the page of a thread for machines.
func posting(p threadPage) blogPosting {
	var keywords strings.Builder
	for i, t := range p.Thread.Tags {
		if i > 0 {
			keywords.WriteString(", ")
		}
		keywords.WriteString(t.Title)
	}
	return blogPosting{
		Context: "https://schema.org", Type: "BlogPosting", URL: p.URL, Page: p.URL,
		Headline: p.Title, About: p.Description, Language: p.Lang,
		Published: p.Published, Modified: p.Modified, Image: p.Image, Keywords: keywords.String(),
		Author: newAuthor(p.Thread.Author, p.Thread.AuthorURL),
	}
}

// blog is the front page for machines.
func blog(p page) blogPosting {
	return blogPosting{
		Context: "https://schema.org", Type: "Blog", URL: p.URL, Name: p.Publication.Title, About: p.Description,
		Language: p.Lang, Author: newAuthor(p.Publication.Author.Name, p.Publication.Author.URL),
	}
}
